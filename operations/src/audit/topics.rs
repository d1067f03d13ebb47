//! Reads the records on Kafka into the orders' dossiers.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Utc};
use events::{
    Event, OrderId, Publisher,
    envelope::{self, Envelope},
    erasure::UserErased,
    publisher::{self, dead_letter_topic},
};
use saga::record::{FIRST_AT, Record};

use super::{
    dossier::{Item, Json, Logged},
    requests::request,
    said::digest,
    seal::Log,
};
use crate::archive::Offsets;

/// What was read beside the orders' events.
#[derive(Debug)]
pub struct Topics {
    /// Publishers whose topics are read.
    publishers: Vec<Publisher>,
    /// Extent of the topics as read, and the requests' dead letters.
    pub(super) log: Log,
    /// Time of the first retained record, by publisher and partition.
    first: BTreeMap<(Publisher, i32), u64>,
}

impl Default for Topics {
    /// Reads the shop's topics.
    fn default() -> Self {
        Topics::of(publisher::all().collect())
    }
}

impl Topics {
    pub(super) fn of(publishers: Vec<Publisher>) -> Self {
        Topics { publishers, log: Log::default(), first: BTreeMap::new() }
    }

    pub(super) fn publisher_of(&self, topic: &str) -> Option<Publisher> {
        self.publishers.iter().copied().find(|publisher| publisher.topic() == topic)
    }

    /// Takes one record after the other, in order within each partition.
    ///
    /// # Errors
    /// If `put` fails.
    pub fn note(
        &mut self,
        record: &Record,
        mut put: impl FnMut(OrderId, Item) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        self.log.reach.entry((record.topic.clone(), record.partition)).or_default().note(record);
        if record.topic == dead_letter_topic(publisher::CLIENT.topic()) {
            self.note_letter(record);
            return Ok(());
        }
        self.note_first(record);
        let Some(topic) = self.publisher_of(&record.topic) else { return Ok(()) };
        match logged(topic, record, |_| true) {
            Some((order, event)) => put(order, Item::Logged(event)),
            None => Ok(()),
        }
    }

    /// Takes the first retained record of a partition.
    pub(super) fn note_first(&mut self, record: &Record) {
        if let Some(topic) = self.publisher_of(&record.topic) {
            self.first.entry((topic, record.partition)).or_insert(record.timestamp_ms);
        }
    }

    fn note_letter(&mut self, record: &Record) {
        self.log.letter_count += 1;
        let Some(value) = &record.value else { return };
        self.log.letters.insert(digest(value.trim_ascii()));
        let as_it_was = Record { topic: publisher::CLIENT.topic().to_owned(), ..record.clone() };
        let data = as_it_was.with_raw(|raw| Some(digest(envelope::read(raw).ok()?.1.trim_ascii())));
        self.log.letters.extend(data);
    }

    /// Digests of the values and the data of requests' dead letters.
    pub fn letters(&self) -> &HashSet<String> {
        &self.log.letters
    }

    /// Time since which a topic has retained everything, where the beginnings of partitions are gone.
    pub(super) fn since(&self, kept: &Offsets) -> BTreeMap<Publisher, u64> {
        let mut since = BTreeMap::new();
        for ((topic, partition), _) in kept.iter().filter(|(_, kept)| kept.start > 0) {
            let Some(topic) = self.publisher_of(topic) else { continue };
            // An empty partition has lost everything until now.
            let now = u64::try_from(Utc::now().timestamp_millis()).unwrap_or(0);
            let first = self.first.get(&(topic, *partition)).copied().unwrap_or(now);
            let latest = since.entry(topic).or_insert(first);
            *latest = first.max(*latest);
        }
        since
    }
}

/// Fields common to all events of the shop's services, but for those about users.
#[derive(serde::Deserialize)]
struct Facts {
    #[serde(rename = "order")]
    _order: events::Order,
}

/// A readable event or request, and its order. An unreadable record counts as said by no service: its consumers park it or make
/// it a dead letter.
pub(super) fn logged(
    topic: Publisher,
    record: &Record,
    is_wanted: impl Fn(OrderId) -> bool,
) -> Option<(OrderId, Logged)> {
    let (envelope, data) =
        record.with_raw(|raw| envelope::read(raw).map(|(envelope, data)| (envelope, data.into_owned()))).ok()?;
    let order = match topic {
        publisher::CLIENT => Some(request(record)?.1).filter(|order| is_wanted(*order))?,
        _ => {
            let order = Some(order_of(&envelope, record)).filter(|order| is_wanted(*order))?;
            // The content of other services' events is not checked.
            if publisher::SERVICES.contains(&topic) {
                match &*envelope.event_type {
                    UserErased::TYPE => drop(serde_json::from_slice::<UserErased>(&data).ok()?),
                    _ => drop(serde_json::from_slice::<Facts>(&data).ok()?),
                }
            }
            order
        }
    };
    let data = Json::new(std::str::from_utf8(data.trim_ascii()).ok()?);
    let Envelope { id, event_type, version, source, subject, time, causation_id, traceparent } = envelope;
    let first_at = record.headers.iter().find(|(name, _)| name == FIRST_AT);
    let text = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
    let at: Option<DateTime<Utc>> = time;
    Some((
        order,
        Logged {
            topic,
            partition: record.partition,
            offset: record.offset,
            timestamp_ms: record.timestamp_ms,
            key: record.key.as_ref().map(text),
            id: id.0,
            event_type,
            version,
            source,
            subject,
            at,
            causation_id: causation_id.map(|id| id.0),
            traceparent,
            first_at: first_at.map(|(_, value)| text(value)),
            data,
        },
    ))
}

/// The order from the subject, or else from the key; the nil id if there is neither.
fn order_of(envelope: &Envelope, record: &Record) -> OrderId {
    let key = record.key.as_deref().and_then(|key| std::str::from_utf8(key).ok());
    let named = [envelope.subject.as_deref(), key].into_iter().flatten().find_map(|name| name.parse().ok());
    named.unwrap_or(OrderId(uuid::Uuid::nil()))
}
