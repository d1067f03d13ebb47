//! An event as observed by a listener to all topics that takes no part in the saga.

use chrono::{DateTime, Utc};
use events::{
    EventId, OrderId,
    envelope::{self, Envelope},
    publisher::{self, is_source_of, service_of_topic, speaks_for},
    request::OrderRequested,
};
use saga::record::Record;
use serde_json::Value;

use crate::order_ids::derivation;

/// One event of one order.
#[derive(Debug, Clone, PartialEq)]
pub struct Heard {
    pub id: EventId,
    pub order_id: OrderId,
    pub event_type: String,
    /// The publisher's name, or the `ce_source` of any other source.
    pub publisher: String,
    /// True if its source may publish on this topic: services ignore events from any other source.
    pub is_believed: bool,
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
    /// Time of publication: `ce_time`, or else the record's timestamp.
    pub at: DateTime<Utc>,
    pub causation_id: Option<EventId>,
    /// The event's data.
    pub data: Value,
}

impl Heard {
    /// None if the record is not an event, or names no order.
    pub fn from_record(record: &Record) -> Option<Heard> {
        let (envelope, data) =
            record.with_raw(|raw| envelope::read(raw).map(|(envelope, data)| (envelope, data.into_owned()))).ok()?;
        let order_id = order_of(record, &envelope, &data)?;
        let at = envelope.time.or_else(|| DateTime::from_timestamp_millis(i64::try_from(record.timestamp_ms).ok()?))?;
        Some(Heard {
            id: envelope.id,
            order_id,
            publisher: publisher_of(&record.topic, &envelope.source),
            is_believed: is_believed(&record.topic, &envelope.source),
            event_type: envelope.event_type,
            topic: record.topic.clone(),
            partition: record.partition,
            offset: record.offset,
            at,
            causation_id: envelope.causation_id,
            data: serde_json::from_slice(&data).ok()?,
        })
    }

    /// Topic, partition and offset.
    pub fn place(&self) -> (&str, i32, i64) {
        (&self.topic, self.partition, self.offset)
    }

    /// The reason, if the event gives one.
    pub fn reason(&self) -> Option<&str> {
        self.data.get("reason")?.as_str()
    }

    /// A short form of the event's own fields, without the order that all events carry.
    pub fn details(&self) -> String {
        let Some(fields) = self.data.as_object() else { return String::new() };
        if self.topic == publisher::CLIENT.topic() {
            return request_in_words(&self.data);
        }
        let own = fields.iter().filter(|(name, _)| *name != "order");
        let words = own.map(|(name, value)| match value {
            Value::String(text) if name == "reason" => text.clone(),
            Value::String(text) => format!("{name} {text}"),
            other => format!("{name} {other}"),
        });
        words.collect::<Vec<_>>().join(", ")
    }
}

fn is_believed(topic: &str, source: &str) -> bool {
    service_of_topic(topic).is_none_or(|service| speaks_for(service, source))
}

/// The service's name for a service on its own topic, the client's name for clients, the given source for all others.
fn publisher_of(topic: &str, source: &str) -> String {
    match service_of_topic(topic) {
        Some(service) if is_source_of(service, source) => service.to_owned(),
        Some(_) => source.to_owned(),
        None => "client".to_owned(),
    }
}

fn order_of(record: &Record, envelope: &Envelope, data: &[u8]) -> Option<OrderId> {
    if record.topic == publisher::CLIENT.topic() {
        let request: OrderRequested = serde_json::from_slice(data).ok()?;
        return Some(request.order_id_of(record.original(), &derivation()));
    }
    envelope.subject.as_deref().and_then(|subject| subject.parse().ok()).or_else(|| {
        let data: Value = serde_json::from_slice(data).ok()?;
        data.get("order")?.get("order_id")?.as_str()?.parse().ok()
    })
}

fn request_in_words(data: &Value) -> String {
    let number =
        |value: &Value, name: &str| value.get(name).and_then(Value::as_i64).map_or("?".to_owned(), |n| n.to_string());
    let items = data.get("items").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let items: Vec<String> = items
        .iter()
        .map(|item| format!("{} of product {}", number(item, "quantity"), number(item, "product_id")))
        .collect();
    format!("user {} wants {}", number(data, "user_id"), items.join(", "))
}
