//! Outbox rows that Kafka no longer has.

use saga::outbox::kafka::Cluster;
use std::collections::HashSet;

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use events::{EventId, envelope};
use outbox_relay::Span;
use uuid::Uuid;

use super::{Case, Remedy, case::Evidence, picture::LONGEST};
use crate::{Database, archive, databases::Databases};

/// A case for each database with published rows that Kafka does not have. They may be lost or expired: publishing them again is
/// right for the former and harmless for the latter.
pub(super) async fn find(brokers: &Cluster, databases: &Databases) -> anyhow::Result<Vec<Case>> {
    // Outboxes first: everything that the relay had published by then is on Kafka when Kafka is read.
    let outboxes = tokio::time::timeout(LONGEST, outboxes(databases)).await;
    let outboxes =
        outboxes.with_context(|| format!("reading the outboxes took longer than {} s", LONGEST.as_secs()))??;
    let (brokers, topics) = (brokers.to_owned(), topics(&outboxes));
    let kept = tokio::task::spawn_blocking(move || ids(&brokers, &topics)).await?.context("reading Kafka")?;
    Ok(outboxes.iter().filter_map(|(database, rows)| case(*database, rows, &kept)).collect())
}

/// Ids and times of the rows that each relay has published.
type Published = Vec<(Database, Vec<(Uuid, DateTime<Utc>)>)>;

async fn outboxes(databases: &Databases) -> anyhow::Result<Published> {
    let mut outboxes = Vec::new();
    for database in databases.all() {
        let rows: Vec<(Uuid, DateTime<Utc>)> =
            sqlx::query_as("select id, created_at from outbox where seq <= (select last_seq from relay_cursor)")
                .fetch_all(databases.of_service(database))
                .await
                .with_context(|| format!("reading the outbox of {database}"))?;
        outboxes.push((database, rows));
    }
    Ok(outboxes)
}

fn topics(outboxes: &Published) -> Vec<String> {
    outboxes.iter().map(|(database, _)| database.publisher().topic().to_owned()).collect()
}

fn ids(brokers: &Cluster, topics: &[String]) -> anyhow::Result<HashSet<EventId>> {
    let mut ids = HashSet::new();
    archive::read(brokers, topics, |record| {
        ids.extend(record.with_raw(|raw| envelope::read(raw).map(|(envelope, _)| envelope.id)).ok());
    })?;
    Ok(ids)
}

fn case(database: Database, rows: &[(Uuid, DateTime<Utc>)], kept: &HashSet<EventId>) -> Option<Case> {
    let lost: Vec<DateTime<Utc>> =
        rows.iter().filter(|(id, _)| !kept.contains(&EventId(*id))).map(|(_, written)| *written).collect();
    let (since, last) = (*lost.iter().min()?, *lost.iter().max()?);
    let span = Span { since, until: last + TimeDelta::microseconds(1) };
    let what = format!("{} of {} events in the outbox of {database} are not on Kafka", lost.len(), rows.len());
    Some(Case { order: None, what, remedy: Remedy::Replay { database, span }, evidence: Evidence::Lost })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_span_holds_all_that_is_lost_and_ends_behind_it() {
        let at = |second| DateTime::from_timestamp(second, 0).expect("a time");
        let rows: Vec<(Uuid, DateTime<Utc>)> = (0..5).map(|second| (Uuid::now_v7(), at(second))).collect();
        let kept = HashSet::from([EventId(rows[0].0), EventId(rows[2].0), EventId(rows[4].0)]);
        let case = case(Database::ORDERS, &rows, &kept).expect("two are lost");
        let Remedy::Replay { span, .. } = case.remedy else { panic!("{}", case.remedy) };
        assert_eq!(span.since, at(1));
        assert!(at(3) < span.until && span.until < at(4));
        let all = rows.iter().map(|(id, _)| EventId(*id)).collect();
        assert_eq!(super::case(Database::ORDERS, &rows, &all), None);
    }
}
