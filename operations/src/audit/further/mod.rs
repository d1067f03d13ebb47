//! Services beside the shop's: checks only that Kafka has exactly what their outboxes have. Their decisions and their own tables
//! are beyond this audit.

pub(super) mod rest;

use saga::outbox::kafka::Cluster;
use std::{collections::BTreeMap, sync::Arc};

use anyhow::Context;
use chrono::Utc;

use super::{
    Finding, Invariant, Topics,
    judge::{Known, on_its_way},
    reading::read_database,
    said::differences,
    seal::partition_counts,
    spill::Spill,
};
use crate::{
    Database, Environment,
    archive::{self, Offsets},
    databases::Databases,
};

const WHAT: &str = "Kafka has what the outboxes of further services have, and nothing else";

/// Reads and judges everything anew each time. None if the system has no such services. A service that cannot be looked at is a
/// finding: it must not hide what is wrong elsewhere.
pub(super) async fn judge(environment: &Environment, databases: &Databases, living: bool) -> Option<Invariant> {
    let further: Vec<Database> = environment.manifest.further_databases().collect();
    if further.is_empty() {
        return None;
    }
    let services: Vec<&str> = further.iter().map(|database| database.publisher().name()).collect();
    let services = services.join(", ");
    let (looked_at, findings) = match judge_all(environment, databases, &further, living).await {
        Ok((looked_at, findings)) => (format!("{services}: {looked_at}"), findings),
        Err(error) => {
            let what = format!("the further services cannot be looked at: {error:#}");
            (services, vec![Finding::general(what)])
        }
    };
    Some(Invariant { what: WHAT, looked_at, findings })
}

/// The extent of what was looked at, in words, and the findings.
async fn judge_all(
    environment: &Environment,
    databases: &Databases,
    further: &[Database],
    living: bool,
) -> anyhow::Result<(String, Vec<Finding>)> {
    let begun = Utc::now();
    let (spill, mut known) = (Arc::new(Spill::new()), Known::default());
    // The cursors first: what the relay had published by then is on Kafka when that is read.
    let mut published = BTreeMap::new();
    for database in further {
        let last = sqlx::query_scalar("select last_seq from relay_cursor").fetch_one(databases.of_service(*database));
        let last: anyhow::Result<i64> = rest::answered(async { Ok(last.await?) }).await;
        let last = last.with_context(|| format!("reading the relay's position for {database}"))?;
        published.insert(database.publisher(), last);
    }
    let (topics, kept) = read_topics(&environment.brokers, further, &spill).await.context("reading Kafka")?;
    for database in further {
        let mut db = databases.of_service(*database).acquire().await?;
        read_database(&mut db, *database, &mut known, |saga, item| spill.put(saga, &item)).await?;
    }
    known.kept.begun = Some(begun);
    known.kept.published = published;
    known.kept.logged_since = topics.since(&kept);
    let partitions = partition_counts(&kept).into_iter();
    known.kept.partitions =
        partitions.filter_map(|(topic, count)| Some((topics.publisher_of(&topic)?, count))).collect();
    let judging = tokio::task::spawn_blocking(move || {
        let (mut rows, mut records, mut later, mut findings) = (0, 0, 0, Vec::new());
        for bucket in spill.take() {
            for dossier in bucket()? {
                if living && on_its_way(&dossier, &known, begun).is_some() {
                    later += 1;
                    continue;
                }
                rows += dossier.written.len();
                records += dossier.log.len();
                findings.extend(differences(&dossier, &known.kept));
            }
        }
        anyhow::Ok((rows, records, later, findings))
    });
    let (rows, records, later, findings) = judging.await??;
    let later = if living { format!(", {later} sagas on their way") } else { String::new() };
    Ok((format!("{rows} rows, {records} records{later}"), findings))
}

async fn read_topics(brokers: &Cluster, further: &[Database], spill: &Arc<Spill>) -> anyhow::Result<(Topics, Offsets)> {
    let mut topics = Topics::of(further.iter().map(|database| database.publisher()).collect());
    let names: Vec<String> = further.iter().map(|database| database.publisher().topic().to_owned()).collect();
    let (brokers, spill) = (brokers.to_owned(), spill.clone());
    let reading = tokio::task::spawn_blocking(move || {
        let kept = archive::kept(&brokers, &names)?;
        let mut failed = None;
        archive::read_from(&brokers, kept.clone(), |record| {
            if failed.is_none() {
                failed = topics.note(&record, |saga, item| spill.put(saga, &item)).err();
            }
        })?;
        failed.map_or(Ok((topics, kept)), Err)
    });
    reading.await?
}
