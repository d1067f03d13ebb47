//! Order ids derived for requests that have none.

use saga::ids::{Coordinates, Original};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{OrderId, UserId};

/// Namespace of the order ids that earlier versions derived, as UUIDv5.
const FORMERLY_DERIVED: Uuid = Uuid::from_u128(0x6f5c_2f5e_2a52_5d0e_9c57_1c0f_d1a5_0a61);
/// Prefix of every derived order id. As a UUIDv8 with this prefix it never occurs by chance, so it can be told from an id
/// that a client has chosen, and nobody can choose the id that another's request will get.
const DERIVED: [u8; 4] = [0xde, 0x51, 0x7e, 0xd0];

/// Order named by a buyer's idempotency key: the same key always means the same order.
pub fn from_idempotency_key(user: UserId, key: &str) -> OrderId {
    derived(Sha256::digest(format!("key/{user}/{key}")))
}

/// Order that earlier versions derived from an idempotency key.
pub fn formerly_from_idempotency_key(user: UserId, key: &str) -> OrderId {
    OrderId(Uuid::new_v5(&FORMERLY_DERIVED, format!("key/{user}/{key}").as_bytes()))
}

/// Order that earlier versions derived from a record without an id.
pub fn formerly_from_coordinates(at: Coordinates<'_>) -> OrderId {
    OrderId(Uuid::new_v5(&FORMERLY_DERIVED, format!("record/{at}").as_bytes()))
}

/// Order of a request without an id: the same record always means the same order, however often it is delivered.
pub fn from_record(original: Original<'_>) -> OrderId {
    derived(Sha256::new().chain_update("record/").chain_update(original.digest()).finalize())
}

/// Returns whether this id has the form of derived ids. Only we create them.
pub fn is_derived(order: OrderId) -> bool {
    order.0.get_version_num() == 8 && order.0.as_bytes().starts_with(&DERIVED)
}

fn derived(digest: impl AsRef<[u8]>) -> OrderId {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.as_ref()[..16]);
    bytes[..DERIVED.len()].copy_from_slice(&DERIVED);
    OrderId(Uuid::new_v8(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: Original<'_> = Original {
        at: Coordinates { topic: "order.requests", partition: 3, offset: 41 },
        timestamp_ms: 1_700_000_000_123,
        value: Some(b"{}"),
    };

    #[test]
    fn a_record_is_the_same_order_on_every_delivery_and_no_other_record_is() {
        assert_eq!(from_record(RECORD), from_record(RECORD));
        let others = [
            Original { at: Coordinates { offset: 42, ..RECORD.at }, ..RECORD },
            Original { at: Coordinates { partition: 4, ..RECORD.at }, ..RECORD },
            // The topic was recreated: the same position and request, another time.
            Original { timestamp_ms: 1_700_000_000_124, ..RECORD },
            Original { value: Some(b"{} "), ..RECORD },
        ];
        for other in others {
            assert_ne!(from_record(other), from_record(RECORD), "{other:?}");
        }
    }

    #[test]
    fn what_is_derived_can_be_told_from_what_a_client_has_chosen() {
        let key = from_idempotency_key(UserId(1), "cart-17");
        assert!(is_derived(key) && is_derived(from_record(RECORD)));
        let chosen = [Uuid::now_v7(), Uuid::new_v5(&FORMERLY_DERIVED, b"x"), Uuid::nil(), Uuid::new_v8([7; 16])];
        assert!(chosen.into_iter().all(|id| !is_derived(OrderId::from(id))));
    }

    #[test]
    fn an_idempotency_key_belongs_to_its_user() {
        assert_eq!(from_idempotency_key(UserId(1), "a"), from_idempotency_key(UserId(1), "a"));
        assert_ne!(from_idempotency_key(UserId(1), "a"), from_idempotency_key(UserId(2), "a"));
        assert_ne!(from_idempotency_key(UserId(1), "1/a"), from_idempotency_key(UserId(11), "a"));
    }
}
