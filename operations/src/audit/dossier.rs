//! All that is known of one order, wherever it is written down: rows, outbox rows, records on Kafka, bookings, mails.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use events::{EventId, Order, OrderId, Publisher, publisher};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Booking, delivered::Delivered, tables::Table};

/// One thing that is known of an order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Item {
    Row(Row),
    Written(Written),
    Logged(Logged),
    Booking(Booking),
    Mail(Delivered),
}

impl Item {
    /// Of a row.
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

/// The time at which a row was written as it is, by the transaction that has done it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Era {
    /// Before the last look: an order that is sealed has no other rows.
    Sealed,
    /// Since, by a transaction that is older than all that are under way.
    Past,
    /// Just now: at the next look it will count as new.
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
    /// Whose outbox it is.
    #[serde(with = "by_name")]
    pub publisher: Publisher,
    pub seq: i64,
    pub id: Uuid,
    pub aggregatetype: String,
    pub aggregateid: String,
    pub event_type: String,
    /// Of the payload, see [`digest`](super::said::digest).
    pub digest: String,
    pub causation_id: Option<Uuid>,
    pub traceparent: Option<String>,
    pub at: DateTime<Utc>,
    /// Name of the outbox's partition that it lies in.
    pub partition: String,
    pub era: Era,
}

/// A readable event on Kafka.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Logged {
    /// Whose topic it lies on.
    #[serde(with = "by_name")]
    pub topic: Publisher,
    pub partition: i32,
    pub offset: i64,
    pub timestamp_ms: u64,
    pub key: Option<String>,
    pub id: Uuid,
    pub event_type: String,
    pub source: String,
    pub subject: Option<String>,
    pub at: Option<DateTime<Utc>>,
    pub causation_id: Option<Uuid>,
    pub traceparent: Option<String>,
    /// The header of a record that was published again.
    pub first_at: Option<String>,
    pub data: Json,
}

impl Logged {
    /// Tells whether the service whose topic it is says that it has said it.
    pub fn is_own(&self) -> bool {
        self.topic.is_source(&self.source)
    }

    /// Tells whether the topic's readers believe it.
    pub fn is_believed(&self) -> bool {
        self.topic.believes(&self.source)
    }
}

/// One order's file.
#[derive(Debug, Clone)]
pub struct Dossier {
    pub order: OrderId,
    pub rows: Vec<Row>,
    /// By publisher, in the order in which they were written.
    pub written: Vec<Written>,
    /// By topic, in the order in which they lie there.
    pub log: Vec<Logged>,
    /// In the order of the ledger.
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

    /// Puts items together by their orders. The items of one source have to come in its order.
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

    /// Tells whether all that is known of the order is that somebody has asked for it.
    pub(super) fn has_mere_requests(&self) -> bool {
        self.rows.is_empty()
            && self.written.is_empty()
            && self.bookings.is_empty()
            && self.mails.is_empty()
            && self.log.iter().all(|event| event.topic == publisher::CLIENT)
    }

    /// Tells whether all its rows will be known as old at the next look.
    pub(super) fn is_past(&self) -> bool {
        self.rows.iter().all(|row| row.era.is_past()) && self.written.iter().all(|row| row.era.is_past())
    }

    /// What was ordered, as the first event that tells it has it.
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

    /// The first record of each event on a topic: what its readers go by.
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

/// Publishers by their names.
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
