//! Checks that every readable request has become an order or a dead letter.

use saga::outbox::kafka::Cluster;
use std::collections::{HashMap, HashSet};

use anyhow::Context;
use events::{
    EventId, OrderId, envelope, publisher,
    request::{ORDER_REQUESTED, OrderRequested},
};
use saga::record::Record;
use uuid::Uuid;

use super::{Finding, Invariant, dossier::Dossier, said::digest, tables::Table};
use crate::{Database, archive, databases::Databases, order_ids::derivation};

/// Requests that were examined.
#[derive(Debug, Default)]
pub(super) struct Requests {
    count: usize,
    /// Unknown orders, by the event id under which the inbox remembers their requests.
    unanswered: HashMap<EventId, Vec<OrderId>>,
}

impl Requests {
    pub(super) fn note(&mut self, dossier: &Dossier, letters: &HashSet<String>) {
        let answered = dossier.rows_of(Table::Orders).next().is_some();
        for event in dossier.log.iter().filter(|event| event.topic == publisher::CLIENT) {
            self.count += 1;
            if !answered && !letters.contains(&digest(event.data.get().as_bytes())) {
                let buyer = serde_json::from_str(event.data.get()).map(|request: OrderRequested| request.user_id);
                let buyer = buyer.map(|user| user.to_string()).unwrap_or_default();
                let id = EventId(event.id).of_owner(&event.source, &buyer, event.timestamp_ms);
                self.unanswered.entry(id).or_default().push(dossier.order);
            }
        }
    }

    pub(super) fn add(&mut self, other: Requests) {
        self.count += other.count;
        for (id, orders) in other.unanswered {
            self.unanswered.entry(id).or_default().extend(orders);
        }
    }

    /// A buyer's records with the same source and id are the same event to every service, and only the first counts. So a request
    /// counts as answered if any request with its id was.
    pub(super) async fn judge(
        mut self,
        brokers: &Cluster,
        databases: &Databases,
        letters: usize,
    ) -> anyhow::Result<Invariant> {
        if !self.unanswered.is_empty() {
            self.leave_out_repetitions(brokers, databases).await?;
        }
        let findings = self.unanswered.into_values().flatten();
        let what = "was requested, but there is neither an order nor a dead letter";
        Ok(Invariant {
            what: "every request has become an order or a dead letter",
            looked_at: format!("{} requests, {letters} dead letters", self.count),
            findings: findings.map(|order| Finding::of(order, what)).collect(),
        })
    }

    async fn leave_out_repetitions(&mut self, brokers: &Cluster, databases: &Databases) -> anyhow::Result<()> {
        let (brokers, wanted) = (brokers.to_owned(), self.unanswered.keys().copied().collect::<HashSet<_>>());
        let meant = tokio::task::spawn_blocking(move || {
            let mut meant: Vec<(EventId, OrderId)> = Vec::new();
            archive::read(&brokers, &[publisher::CLIENT.topic().to_owned()], |record| {
                meant.extend(request(&record).filter(|(id, _)| wanted.contains(id)));
            })?;
            anyhow::Ok(meant)
        });
        let meant = meant.await?.context("reading the requests again")?;
        let ids: Vec<Uuid> = meant.iter().map(|(_, order)| order.0).collect();
        let known: Vec<Uuid> = sqlx::query_scalar("select id from orders where id = any($1)")
            .bind(ids)
            .fetch_all(databases.of_service(Database::ORDERS))
            .await?;
        for (id, _) in meant.iter().filter(|(_, order)| known.contains(&order.0)) {
            self.unanswered.remove(id);
        }
        Ok(())
    }
}

/// The event id under which a readable request is remembered, and the order that it stands for.
pub(super) fn request(record: &Record) -> Option<(EventId, OrderId)> {
    record.with_raw(|raw| {
        let (envelope, data) = envelope::read(raw).ok()?;
        // The service skips any other event type, whatever the record contains.
        let data = (envelope.event_type == ORDER_REQUESTED).then_some(data)?;
        let request: OrderRequested = serde_json::from_slice(&data).ok()?;
        Some((
            envelope.id.of_owner(&envelope.source, &request.user_id.to_string(), record.timestamp_ms),
            request.order_id_of(raw.original(), &derivation()),
        ))
    })
}
