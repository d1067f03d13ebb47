//! Whether Kafka has what the outboxes have, and every request has been answered.

use std::collections::{HashMap, HashSet};

use anyhow::Context;
use events::{
    EventId, OrderId, Publisher, envelope,
    publisher::dead_letter_topic,
    request::{ORDER_REQUESTED, OrderRequested},
};
use kit::record::Record;
use uuid::Uuid;

use crate::{
    archive,
    databases::Databases,
    listener,
    stack::{Database, Environment},
};

use super::{Finding, Invariant, Steps};

/// What Kafka keeps, as far as the audit needs it.
#[derive(Debug, Default)]
struct Kept {
    ids: HashSet<EventId>,
    /// Orders that readable requests mean, by what the inbox remembers the request by: what has the same source and id is the
    /// same event to everybody, and only the first that comes counts.
    requested: HashMap<EventId, HashSet<OrderId>>,
    /// Values of dead letters of requests.
    letters: HashSet<Vec<u8>>,
    /// Readable requests by value, for telling those that were refused.
    values: HashMap<Vec<u8>, OrderId>,
}

pub(super) async fn all_on_kafka(
    environment: &Environment,
    databases: &Databases,
    steps: &Steps,
) -> anyhow::Result<Vec<Invariant>> {
    let brokers = environment.brokers.clone();
    // The outboxes first: whatever is in them had its time to be published before Kafka is read.
    let mut outboxes = Vec::new();
    for database in Database::ALL {
        let rows: Vec<(Uuid, String, String)> = sqlx::query_as("select id, aggregateid, type from outbox")
            .fetch_all(databases.of_service(database))
            .await
            .with_context(|| format!("reading the outbox of {database}"))?;
        outboxes.push((database, rows));
    }
    let kept = tokio::task::spawn_blocking(move || {
        let mut kept = Kept::default();
        archive::read(&brokers, &listener::topics(), |record| kept.note(record))?;
        anyhow::Ok(kept)
    })
    .await?
    .context("reading Kafka")?;

    let rows = outboxes.iter().map(|(_, rows)| rows.len()).sum::<usize>();
    let missing = outboxes.iter().flat_map(|(database, rows)| {
        rows.iter().filter(|(id, ..)| !kept.ids.contains(&EventId(*id))).map(move |(_, order, event_type)| Finding {
            order: order.parse().ok(),
            what: format!("{event_type} is in the outbox of {database}, but not on Kafka"),
        })
    });
    let missing = missing.collect();

    let mut said: HashMap<(&str, &str), u32> = HashMap::new();
    for (_, order, event_type) in outboxes.iter().flat_map(|(_, rows)| rows) {
        *said.entry((order, event_type)).or_default() += 1;
    }
    let twice = said.into_iter().filter(|(_, times)| *times > 1).map(|((order, event_type), times)| Finding {
        order: order.parse().ok(),
        what: format!("{event_type} was said {times} times"),
    });
    let twice = twice.collect();

    let refused: HashSet<OrderId> = kept.letters.iter().filter_map(|letter| kept.values.get(letter)).copied().collect();
    let answered = |order: &OrderId| steps.orders.contains_key(order) || refused.contains(order);
    let unanswered = kept
        .requested
        .values()
        .filter(|orders| !orders.iter().any(answered))
        .flatten()
        .map(|order| Finding::of(*order, "was requested, but there is neither an order nor a dead letter"));
    let unanswered = unanswered.collect();

    Ok(vec![
        Invariant {
            what: "every outbox row is on Kafka",
            looked_at: format!("{rows} rows, {} records", kept.ids.len()),
            findings: missing,
        },
        Invariant { what: "every event is said once", looked_at: format!("{rows} rows"), findings: twice },
        Invariant {
            what: "every request has become an order or a dead letter",
            looked_at: format!("{} requested orders, {} dead letters", kept.requested.len(), kept.letters.len()),
            findings: unanswered,
        },
    ])
}

impl Kept {
    fn note(&mut self, record: Record) {
        let requests = Publisher::Client.topic();
        if record.topic == dead_letter_topic(requests) {
            self.letters.extend(record.value);
            return;
        }
        let order = record.with_raw(|raw| {
            let (envelope, data) = envelope::read(raw).ok()?;
            self.ids.insert(envelope.id);
            // What calls itself something else is skipped by the service, whatever it contains.
            let data = (envelope.event_type == ORDER_REQUESTED).then_some(data)?;
            let request: OrderRequested = serde_json::from_slice(&data).ok()?;
            let event = envelope.id.of_source(&envelope.source, record.timestamp_ms);
            Some((event, request.order_id_at(raw.at)))
        });
        if record.topic == requests
            && let Some((event, order)) = order
        {
            self.requested.entry(event).or_default().insert(order);
            self.values.extend(record.value.map(|value| (value, order)));
        }
    }
}
