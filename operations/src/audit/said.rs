//! Checks that Kafka has exactly what the outboxes have: id by id, with content, key, partition, headers and order.

use std::collections::{BTreeMap, HashMap, HashSet};

use events::{Event, EventId, OrderId, Publisher, erasure::UserErased, publisher};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{
    Finding,
    dossier::{Dossier, Logged, Written},
};

/// First bytes of a payload's SHA-256 in hexadecimal: enough to make an accidental collision practically impossible.
pub(super) fn digest(payload: &[u8]) -> String {
    Sha256::digest(payload)[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Maximum age by which an id may precede its neighbours although it was written together with them: transactions overlap.
pub(super) const SLACK_MS: u64 = 600_000;

/// What outboxes and topics still retain.
#[derive(Debug, Clone, Default)]
pub struct Kept {
    /// First id in each outbox: retention drops its rows by id range.
    pub written_since: BTreeMap<Publisher, Uuid>,
    /// Time of the oldest record of each topic that has lost records to retention.
    pub logged_since: BTreeMap<Publisher, u64>,
    /// Number of partitions of each topic.
    pub partitions: BTreeMap<Publisher, i32>,
    /// Number up to which each outbox has been published.
    pub published: BTreeMap<Publisher, i64>,
    /// Start of reading: rows written later need not be on Kafka yet.
    pub begun: Option<chrono::DateTime<chrono::Utc>>,
}

impl Kept {
    /// Tells whether the event may once have been in an outbox: the outbox no longer retains rows of that time.
    fn may_have_gone(&self, event: &Logged) -> bool {
        let since = self.written_since.get(&event.topic);
        // An old id on a new record does not make an old event.
        since.is_some_and(|oldest| event.id < *oldest && event.timestamp_ms < ms_of(*oldest).saturating_add(SLACK_MS))
    }

    /// Tells whether a row may once have been on Kafka.
    fn may_have_expired(&self, row: &Written) -> bool {
        let ms = u64::try_from(row.at.timestamp_millis()).unwrap_or(0);
        self.logged_since.get(&row.publisher).is_some_and(|since| ms < since + SLACK_MS)
    }

    /// Tells whether a row need not be on Kafka yet.
    fn is_on_its_way(&self, row: &Written) -> bool {
        self.published.get(&row.publisher).is_some_and(|last| row.seq > *last)
            || self.begun.is_some_and(|begun| row.at >= begun)
    }

    /// Tells whether everything that the services published about the order is still retained.
    pub(super) fn has_all_of(&self, dossier: &Dossier) -> bool {
        // What requests have become is in the order service's events.
        let mut since = self.logged_since.iter().filter(|(topic, _)| **topic != publisher::CLIENT).peekable();
        if since.peek().is_none() {
            return true;
        }
        let begun = dossier.log.iter().filter(|event| event.topic == publisher::ORDER).map(|event| event.timestamp_ms);
        begun.min().is_some_and(|begun| since.all(|(_, since)| begun > since + SLACK_MS))
    }

    /// Tells whether an event of the order has been written but is not on Kafka yet.
    pub(super) fn has_more_of(&self, dossier: &Dossier) -> bool {
        let logged: HashSet<Uuid> = dossier.log.iter().map(|event| event.id).collect();
        dossier.written.iter().any(|row| !logged.contains(&row.id) && self.is_on_its_way(row))
    }
}

/// Timestamp of a UUIDv7, in milliseconds since 1970.
fn ms_of(id: Uuid) -> u64 {
    u64::try_from(id.as_u128() >> 80).unwrap_or(u64::MAX)
}

/// What differs between the outboxes and Kafka.
pub(super) fn differences(dossier: &Dossier, kept: &Kept) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut complain = |what: String| found.push(Finding { order: known(dossier.order), what });
    let written: HashMap<(Publisher, Uuid), &Written> =
        dossier.written.iter().map(|row| ((row.publisher, row.id), row)).collect();
    let logged: HashSet<(Publisher, Uuid)> = dossier.log.iter().map(|event| (event.topic, event.id)).collect();
    for row in &dossier.written {
        let is_there = logged.contains(&(row.publisher, row.id));
        if !is_there && !kept.may_have_expired(row) && !kept.is_on_its_way(row) {
            complain(format!("{} is in the outbox of {}, but not on Kafka", row.event_type, row.publisher));
        }
        if row.aggregatetype != row.publisher.name() {
            complain(format!("{} in the outbox of {} names {}", row.event_type, row.publisher, row.aggregatetype));
        }
    }
    for event in dossier.log.iter().filter(|event| event.is_own()) {
        let Some(row) = written.get(&(event.topic, event.id)) else {
            if !kept.may_have_gone(event) {
                let Logged { event_type, topic, partition, offset, .. } = event;
                complain(format!(
                    "{event_type} is on Kafka ({}/{partition}/{offset}), but {topic} has never said it: forged",
                    topic.topic()
                ));
            }
            continue;
        };
        for (what, theirs, ours) in unequal(event, row, kept) {
            let event_type = &event.event_type;
            complain(format!("{event_type} is on Kafka with the {what} {theirs}, but in the outbox with {ours}"));
        }
    }
    for what in out_of_order(dossier, &written).into_iter().chain(both_ends(dossier)) {
        complain(what);
    }
    found
}

fn known(order: OrderId) -> Option<OrderId> {
    (!order.0.is_nil()).then_some(order)
}

/// Differences between a record and its row: the field, its value on Kafka, its value in the outbox.
fn unequal(event: &Logged, row: &Written, kept: &Kept) -> Vec<(&'static str, String, String)> {
    let text = |text: Option<&str>| text.unwrap_or("(none)").to_owned();
    let id = |id: Option<Uuid>| id.map_or("(none)".to_owned(), |id| id.to_string());
    let time = |at: Option<chrono::DateTime<chrono::Utc>>| {
        at.map_or("(none)".to_owned(), |at| at.format("%FT%T%.6fZ").to_string())
    };
    let partition = kept.partitions.get(&event.topic).and_then(|count| usize::try_from(*count).ok());
    let partition = partition.map(|count| outbox_relay::partition_of(row.aggregateid.as_bytes(), count).to_string());
    let all = [
        ("key", text(event.key.as_deref()), row.aggregateid.clone()),
        ("partition", event.partition.to_string(), partition.unwrap_or_else(|| event.partition.to_string())),
        ("type", event.event_type.clone(), row.event_type.clone()),
        ("version", event.version.to_string(), row.version.to_string()),
        ("subject", text(event.subject.as_deref()), row.aggregateid.clone()),
        ("time", time(event.at), time(Some(row.at))),
        ("cause", id(event.causation_id), id(row.causation_id)),
        ("trace", text(event.traceparent.as_deref()), text(row.traceparent.as_deref())),
        ("content", digest(event.data.get().as_bytes()), row.digest.clone()),
    ];
    all.into_iter().filter(|(_, theirs, ours)| theirs != ours).collect()
}

/// Events of the order whose order on the topic differs from the order of writing. A redelivered record changes nothing.
fn out_of_order(dossier: &Dossier, written: &HashMap<(Publisher, Uuid), &Written>) -> Vec<String> {
    let mut found = Vec::new();
    let mut seen: HashSet<EventId> = HashSet::new();
    let mut last: BTreeMap<Publisher, &Written> = BTreeMap::new();
    for event in dossier.log.iter().filter(|event| event.is_own() && seen.insert(EventId(event.id))) {
        let Some(row) = written.get(&(event.topic, event.id)) else { continue };
        if let Some(before) = last.insert(event.topic, row)
            && before.seq > row.seq
        {
            found.push(format!(
                "{} lies before {} on Kafka, but was written after it",
                before.event_type, row.event_type
            ));
        }
    }
    found
}

/// Events published twice, or that contradict another.
pub(super) fn repetitions(dossier: &Dossier) -> Vec<Finding> {
    let mut times: BTreeMap<&str, u32> = BTreeMap::new();
    for row in &dossier.written {
        *times.entry(&row.event_type).or_default() += 1;
    }
    // An erasure is said again whenever it is completed.
    times.remove(UserErased::TYPE);
    let twice = times.into_iter().filter(|(_, times)| *times > 1);
    twice
        .map(|(event_type, times)| Finding {
            order: known(dossier.order),
            what: format!("{event_type} was said {times} times"),
        })
        .collect()
}

/// An order ends once.
fn both_ends(dossier: &Dossier) -> Option<String> {
    let ends: Vec<&str> = ["OrderCompleted", "OrderCancelled", "OrderRejected"]
        .into_iter()
        .filter(|end| {
            dossier
                .log
                .iter()
                .any(|event| event.topic == publisher::ORDER && event.is_own() && event.event_type == *end)
        })
        .collect();
    (ends.len() > 1).then(|| format!("{} are both on Kafka", ends.join(" and ")))
}
