//! Everything known about one order, from every source: rows, outbox rows, records on Kafka, bookings, mails.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use events::{EventId, Order, OrderId, Publisher, publisher};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Booking, delivered::Delivered, tables::Table};

/// One thing known about an order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Item {
    Row(Row),
    Written(Written),
    Logged(Logged),
    Booking(Booking),
    Mail(Delivered),
}

impl Item {
    /// The era of a row; None for anything else.
    pub(super) fn era(&self) -> Option<Era> {
        match self {
            Item::Row(row) => Some(row.era),
            Item::Written(row) => Some(row.era),
            Item::Logged(_) | Item::Booking(_) | Item::Mail(_) => None,
        }
    }
}

/// JSON as it was written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Json(Box<str>);

impl Json {
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Json(text.into())
    }

    /// The text.
    pub fn get(&self) -> &str {
        &self.0
    }
}

/// A row of a domain table, without the times at which it was made and changed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Row {
    pub table: Table,
    pub row: Json,
    pub era: Era,
}

/// The age of a row version, judged by the transaction that wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Era {
    /// Written before the previous look: a sealed order has no other rows.
    Sealed,
    /// Written since then, by a transaction older than all that are still running.
    Past,
    /// Written just now: the next look will count it as new.
    Late,
}

impl Era {
    pub(super) fn is_past(self) -> bool {
        self != Era::Late
    }
}

/// An outbox row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// The service that owns the outbox.
    #[serde(with = "by_name")]
    pub publisher: Publisher,
    pub seq: i64,
    pub id: Uuid,
    pub aggregatetype: String,
    pub aggregateid: String,
    pub event_type: String,
    /// Version of the event's schema.
    pub version: u32,
    /// Digest of the payload, see [`digest`](super::said::digest).
    pub digest: String,
    pub causation_id: Option<Uuid>,
    pub traceparent: Option<String>,
    pub at: DateTime<Utc>,
    /// Name of the outbox partition that holds it.
    pub partition: String,
    pub era: Era,
}

/// A readable event on Kafka.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Logged {
    /// The topic's publisher.
    #[serde(with = "by_name")]
    pub topic: Publisher,
    pub partition: i32,
    pub offset: i64,
    pub timestamp_ms: u64,
    pub key: Option<String>,
    pub id: Uuid,
    pub event_type: String,
    /// Version of the event's schema.
    pub version: u32,
    pub source: String,
    pub subject: Option<String>,
    pub at: Option<DateTime<Utc>>,
    pub causation_id: Option<Uuid>,
    pub traceparent: Option<String>,
    /// Header of a republished record.
    pub first_at: Option<String>,
    pub data: Json,
}

impl Logged {
    /// Tells whether its source is the service that owns the topic.
    pub fn is_own(&self) -> bool {
        self.topic.is_source(&self.source)
    }

    /// Tells whether the topic's consumers accept it.
    pub fn is_believed(&self) -> bool {
        self.topic.believes(&self.source)
    }
}

/// Everything known about one order.
#[derive(Debug, Clone)]
pub struct Dossier {
    pub order: OrderId,
    pub rows: Vec<Row>,
    /// By publisher, in the order of writing.
    pub written: Vec<Written>,
    /// By topic, in the topic's order.
    pub log: Vec<Logged>,
    /// In the ledger's order.
    pub bookings: Vec<Booking>,
    pub mails: Vec<Delivered>,
}

impl Dossier {
    fn new(order: OrderId) -> Self {
        Dossier {
            order,
            rows: Vec::new(),
            written: Vec::new(),
            log: Vec::new(),
            bookings: Vec::new(),
            mails: Vec::new(),
        }
    }

    /// Groups items by order. The items of one source must come in its order.
    pub fn file(items: impl IntoIterator<Item = (OrderId, Item)>) -> Vec<Dossier> {
        let mut dossiers: BTreeMap<OrderId, Dossier> = BTreeMap::new();
        for (order, item) in items {
            let dossier = dossiers.entry(order).or_insert_with(|| Dossier::new(order));
            match item {
                Item::Row(row) => dossier.rows.push(row),
                Item::Written(row) => dossier.written.push(row),
                Item::Logged(event) => dossier.log.push(event),
                Item::Booking(booking) => dossier.bookings.push(booking),
                Item::Mail(mail) => dossier.mails.push(mail),
            }
        }
        let mut dossiers: Vec<Dossier> = dossiers.into_values().collect();
        for dossier in &mut dossiers {
            dossier.written.sort_by_key(|row| (row.publisher, row.seq));
            dossier.log.sort_by_key(|event| (event.topic, event.partition, event.offset));
        }
        dossiers
    }

    /// Tells whether nothing but requests is known of the order.
    pub(super) fn has_mere_requests(&self) -> bool {
        self.rows.is_empty()
            && self.written.is_empty()
            && self.bookings.is_empty()
            && self.mails.is_empty()
            && self.log.iter().all(|event| event.topic == publisher::CLIENT)
    }

    /// Tells whether the next look will count all its rows as old.
    pub(super) fn is_past(&self) -> bool {
        self.rows.iter().all(|row| row.era.is_past()) && self.written.iter().all(|row| row.era.is_past())
    }

    /// What was ordered, from the first event that contains it.
    pub fn facts(&self) -> Option<Order> {
        #[derive(Deserialize)]
        struct Facts {
            order: Order,
        }
        let said = self.log.iter().filter(|event| event.is_own());
        said.filter_map(|event| serde_json::from_str::<Facts>(event.data.get()).ok()).map(|facts| facts.order).next()
    }

    /// The rows of one table.
    pub fn rows_of(&self, table: Table) -> impl Iterator<Item = &Json> {
        self.rows.iter().filter(move |row| row.table == table).map(|row| &row.row)
    }

    /// The first record of each event on a topic: the one that its consumers act on.
    pub fn first_of(&self, topic: Publisher) -> Vec<&Logged> {
        let mut seen: Vec<EventId> = Vec::new();
        let on_topic = self.log.iter().filter(|event| event.topic == topic && event.is_believed());
        on_topic
            .filter(|event| {
                let id = EventId(event.id);
                !seen.contains(&id) && {
                    seen.push(id);
                    true
                }
            })
            .collect()
    }
}

/// Serializes publishers by name.
mod by_name {
    use events::{Publisher, publisher};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use crate::manifest;

    pub(super) fn serialize<S: Serializer>(publisher: &Publisher, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(publisher.name())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Publisher, D::Error> {
        let name = <&str>::deserialize(from)?;
        let ours = publisher::all().find(|publisher| publisher.name() == name);
        ours.map_or_else(|| manifest::publisher(name).map_err(D::Error::custom), Ok)
    }
}
