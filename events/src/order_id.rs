//! Order ids derived for requests that have none.

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use hmac::{Hmac, KeyInit as _, Mac as _};
use saga::ids::{Coordinates, Original};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{OrderId, UserId};

/// Namespace of the order ids that earlier versions derived, as UUIDv5.
const FORMERLY_DERIVED: Uuid = Uuid::from_u128(0x6f5c_2f5e_2a52_5d0e_9c57_1c0f_d1a5_0a61);
/// Prefix of every derived order id. As a UUIDv8 with this prefix it never occurs by chance, so it can be told from an id
/// that a client has chosen, and nobody can choose the id that another's request will get.
const DERIVED: [u8; 4] = [0xde, 0x51, 0x7e, 0xd0];

/// Length of a key in bytes.
const KEY_BYTES: usize = 32;

/// Derivation of order ids. With a key nobody without it can tell which id a request is going to get; without one anyone can who
/// knows the user and the idempotency key.
#[derive(Clone, Default)]
pub struct Derivation {
    key: Option<Key>,
    /// Keys of before.
    former: Vec<Key>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Key([u8; KEY_BYTES]);

impl fmt::Debug for Derivation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Derivation(keyed: {}, former keys: {})", self.key.is_some(), self.former.len())
    }
}

impl Derivation {
    /// With this key, of 32 bytes in base64, and those of before, separated by commas. Empty texts are no keys.
    ///
    /// # Errors
    /// What is wrong with a key; the error does not repeat it.
    pub fn with_keys(key: &str, former: &str) -> Result<Self, String> {
        let keys = |text: &str| -> Result<Vec<Key>, String> {
            text.split(',').map(str::trim).filter(|text| !text.is_empty()).map(str::parse).collect()
        };
        let (current, former) = (keys(key)?, keys(former)?);
        match (&current[..], former.is_empty()) {
            ([], true) => Ok(Derivation::default()),
            ([], false) => Err("there are former keys, but no present one".to_owned()),
            ([key], _) => Ok(Derivation { key: Some(*key), former }),
            _ => Err("there is more than one key".to_owned()),
        }
    }

    /// Returns whether there is a key.
    pub fn is_keyed(&self) -> bool {
        self.key.is_some()
    }

    /// Order named by a buyer's idempotency key: the same key always means the same order.
    pub fn from_idempotency_key(&self, user: UserId, key: &str) -> OrderId {
        derived(self.key.as_ref(), &[format!("key/{user}/{key}").as_bytes()])
    }

    /// Orders that may have been derived from this idempotency key before: by earlier versions, without a key, and with the
    /// former keys.
    pub fn formerly_from_idempotency_key(&self, user: UserId, key: &str) -> Vec<OrderId> {
        let text = format!("key/{user}/{key}");
        let by_version_5 = OrderId(Uuid::new_v5(&FORMERLY_DERIVED, text.as_bytes()));
        let unkeyed = self.key.is_some().then_some(None);
        let keys = unkeyed.into_iter().chain(self.former.iter().map(Some));
        std::iter::once(by_version_5).chain(keys.map(|key| derived(key, &[text.as_bytes()]))).collect()
    }

    /// Order of a request without an id: the same record always means the same order, however often it is delivered.
    pub fn from_record(&self, original: Original<'_>) -> OrderId {
        derived(self.key.as_ref(), &[b"record/", original.digest().as_ref()])
    }
}

impl FromStr for Key {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bytes = BASE64.decode(text).map_err(|_| "a key is not base64")?;
        let length = bytes.len();
        bytes.try_into().map(Key).map_err(|_| format!("a key has {length} bytes instead of {KEY_BYTES}"))
    }
}

/// Order named by a buyer's idempotency key where ids are derived without a key.
pub fn from_idempotency_key(user: UserId, key: &str) -> OrderId {
    Derivation::default().from_idempotency_key(user, key)
}

/// Order that earlier versions derived from a record without an id.
pub fn formerly_from_coordinates(at: Coordinates<'_>) -> OrderId {
    OrderId(Uuid::new_v5(&FORMERLY_DERIVED, format!("record/{at}").as_bytes()))
}

/// Order of a request without an id where ids are derived without a key.
pub fn from_record(original: Original<'_>) -> OrderId {
    Derivation::default().from_record(original)
}

/// Id of a user's erasure, which stands where events of orders have the order's id. Known to all: it protects nothing.
pub(crate) fn of_erasure(user: UserId) -> OrderId {
    derived(None, &[format!("erasure/{user}").as_bytes()])
}

/// Returns whether this id has the form of derived ids. Only we create them.
pub fn is_derived(order: OrderId) -> bool {
    order.0.get_version_num() == 8 && order.0.as_bytes().starts_with(&DERIVED)
}

/// HMAC-SHA-256 of the parts, or their SHA-256 without a key, in the form of derived ids.
fn derived(key: Option<&Key>, parts: &[&[u8]]) -> OrderId {
    let digest: [u8; 32] = match key {
        None => parts.iter().fold(Sha256::new(), |hash, part| hash.chain_update(part)).finalize().into(),
        Some(key) => {
            let mac = Hmac::<Sha256>::new_from_slice(&key.0).expect("a key of any length");
            parts.iter().fold(mac, |mac, part| mac.chain_update(part)).finalize().into_bytes().into()
        }
    };
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
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

    const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    const OTHER: &str = "/////////////////////////////////////////w8=";

    fn keyed(key: &str, former: &str) -> Derivation {
        Derivation::with_keys(key, former).expect("keys")
    }

    #[test]
    fn without_the_key_nobody_can_tell_an_id_in_advance() {
        let (user, cart) = (UserId(1), "cart-17");
        let (with, plain) = (keyed(KEY, ""), Derivation::default());
        assert_ne!(with.from_idempotency_key(user, cart), plain.from_idempotency_key(user, cart));
        assert_ne!(with.from_idempotency_key(user, cart), keyed(OTHER, "").from_idempotency_key(user, cart));
        assert_ne!(with.from_record(RECORD), plain.from_record(RECORD));
        assert_eq!(with.from_idempotency_key(user, cart), keyed(KEY, OTHER).from_idempotency_key(user, cart));
        assert!(is_derived(with.from_idempotency_key(user, cart)) && is_derived(with.from_record(RECORD)));
        // Without the lock, which is the key, anyone finds the id by computing it.
        assert_eq!(plain.from_idempotency_key(user, cart), from_idempotency_key(user, cart));
    }

    #[test]
    fn keys_of_before_and_none_lead_to_the_orders_of_before() {
        let (user, cart) = (UserId(1), "cart-17");
        let formerly = keyed(KEY, OTHER).formerly_from_idempotency_key(user, cart);
        for before in [Derivation::default(), keyed(OTHER, "")] {
            assert!(formerly.contains(&before.from_idempotency_key(user, cart)), "{before:?}");
        }
        assert!(!formerly.contains(&keyed(KEY, "").from_idempotency_key(user, cart)));
        assert_eq!(Derivation::default().formerly_from_idempotency_key(user, cart).len(), 1);
    }

    #[test]
    fn a_key_that_is_none_is_refused_without_being_repeated() {
        for (key, former) in
            [("c2VjcmV0", ""), ("secret!", ""), (KEY, "c2VjcmV0"), ("", KEY), (&*format!("{KEY},{OTHER}"), "")]
        {
            let error = Derivation::with_keys(key, former).expect_err("refused");
            assert!(!error.contains("c2VjcmV0") && !error.contains("secret"), "{error}");
        }
        assert!(!keyed("", "").is_keyed() && keyed(KEY, OTHER).is_keyed());
        assert!(!format!("{:?}", keyed(KEY, OTHER)).contains("AAEC"));
    }
}
