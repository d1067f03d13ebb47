//! Identities. Each is its own type, so that a user is never passed where a product is meant.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

macro_rules! number_ids {
    ($( $(#[$doc:meta])* $name:ident )+) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )+ };
}

number_ids! {
    /// A buyer.
    UserId
    /// Something that can be bought.
    ProductId
    /// A card, a wallet or a points account.
    PaymentMethodId
}

macro_rules! uuid_ids {
    ($( $(#[$doc:meta])* $name:ident )+) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map($name)
            }
        }
    )+ };
}

uuid_ids! {
    /// One saga. The key of every event of it on Kafka.
    OrderId
    /// One event. A UUIDv7, so that inboxes and outboxes can be cut into ranges of time by the id itself.
    EventId
}

/// Where a record lies on Kafka.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Coordinates<'a> {
    pub topic: &'a str,
    pub partition: i32,
    pub offset: i64,
}

impl<'a> Coordinates<'a> {
    /// Reads what [`Display`](fmt::Display) writes: `topic/partition/offset`. None if it is not of that form.
    pub fn parse(text: &'a str) -> Option<Self> {
        let (rest, offset) = text.rsplit_once('/')?;
        let (topic, partition) = rest.rsplit_once('/')?;
        Some(Coordinates { topic, partition: partition.parse().ok()?, offset: offset.parse().ok()? })
    }
}

impl fmt::Display for Coordinates<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.topic, self.partition, self.offset)
    }
}

/// Namespace of all order ids that are derived rather than given.
const DERIVED_ORDERS: Uuid = Uuid::from_u128(0x6f5c_2f5e_2a52_5d0e_9c57_1c0f_d1a5_0a61);

impl OrderId {
    /// The order that a buyer means by an idempotency key: the same key is always the same order.
    pub fn from_idempotency_key(user: UserId, key: &str) -> Self {
        OrderId(Uuid::new_v5(&DERIVED_ORDERS, format!("key/{user}/{key}").as_bytes()))
    }

    /// The order of a request without any id: the same record is always the same order, however often it is delivered.
    pub fn from_coordinates(at: Coordinates<'_>) -> Self {
        OrderId(Uuid::new_v5(&DERIVED_ORDERS, format!("record/{at}").as_bytes()))
    }
}

impl EventId {
    /// A new id, ordered by time.
    pub fn new() -> Self {
        EventId(Uuid::now_v7())
    }

    /// The id of a record that came without one: a UUIDv7 out of the record's own timestamp and a hash of its
    /// coordinates, so it is the same on every delivery.
    pub fn from_record(at: Coordinates<'_>, timestamp_ms: u64) -> Self {
        let hash = Sha256::digest(at.to_string());
        let mut random = [0; 10];
        random.copy_from_slice(&hash[..10]);
        EventId(uuid::Builder::from_unix_timestamp_millis(timestamp_ms, &random).into_uuid())
    }

    /// Our id for a foreign `ce_id`. A UUIDv7 is taken as it is. Anything else is hashed, together with its source
    /// (CloudEvents: source and id together are unique), into a UUIDv8 that begins with `ff`: past every real time, so it
    /// never falls into a time partition of the inbox and is kept by its date of arrival instead.
    pub fn from_foreign(source: &str, id: &str) -> Self {
        match Uuid::parse_str(id) {
            Ok(uuid) if uuid.get_version_num() == 7 => EventId(uuid),
            _ => {
                let hash = Sha256::new().chain_update(source).chain_update([0]).chain_update(id).finalize();
                let mut bytes = [0; 16];
                bytes.copy_from_slice(&hash[..16]);
                bytes[0] = 0xff;
                EventId(Uuid::new_v8(bytes))
            }
        }
    }
}

impl Default for EventId {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Coordinates<'_> = Coordinates { topic: "order.requests", partition: 3, offset: 41 };

    #[test]
    fn a_record_has_the_same_ids_on_every_delivery() {
        assert_eq!(OrderId::from_coordinates(AT), OrderId::from_coordinates(AT));
        assert_eq!(EventId::from_record(AT, 1_700_000_000_123), EventId::from_record(AT, 1_700_000_000_123));
        let next = Coordinates { offset: 42, ..AT };
        assert_ne!(OrderId::from_coordinates(AT), OrderId::from_coordinates(next));
        assert_ne!(EventId::from_record(AT, 1), EventId::from_record(next, 1));
    }

    #[test]
    fn coordinates_are_read_as_they_are_written() {
        assert_eq!(Coordinates::parse(&AT.to_string()), Some(AT));
        for bad in ["", "topic", "topic/1", "topic/one/2", "topic/1/2/", "topic/1/two"] {
            assert_eq!(Coordinates::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_made_up_event_id_is_a_v7_with_the_records_time() {
        let id = EventId::from_record(AT, 1_700_000_000_123).0;
        assert_eq!(id.get_version_num(), 7);
        assert_eq!(id.get_timestamp().expect("v7 has a time").to_unix().0, 1_700_000_000);
    }

    #[test]
    fn foreign_ids_are_kept_when_v7_and_hashed_with_their_source_when_not() {
        let v7 = Uuid::now_v7();
        assert_eq!(EventId::from_foreign("/shop", &v7.to_string()).0, v7);
        let hashed = EventId::from_foreign("/shop", "order-17");
        assert_eq!(hashed, EventId::from_foreign("/shop", "order-17"));
        assert_ne!(hashed, EventId::from_foreign("/other", "order-17"));
        assert_eq!(hashed.0.get_version_num(), 8);
        assert_eq!(hashed.0.as_bytes()[0], 0xff);
    }

    #[test]
    fn an_idempotency_key_belongs_to_its_user() {
        assert_eq!(OrderId::from_idempotency_key(UserId(1), "a"), OrderId::from_idempotency_key(UserId(1), "a"));
        assert_ne!(OrderId::from_idempotency_key(UserId(1), "a"), OrderId::from_idempotency_key(UserId(2), "a"));
        assert_ne!(OrderId::from_idempotency_key(UserId(1), "1/a"), OrderId::from_idempotency_key(UserId(11), "a"));
    }
}
