//! Services beside the shop's: checks only that Kafka has exactly what their outboxes have. Their decisions and their own tables
//! are beyond this audit.

use std::sync::Arc;

use anyhow::Context;
use chrono::Utc;

use super::{
    Invariant, Topics,
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

/// Reads and judges everything anew each time. None if the system has no such services.
pub(super) async fn judge(
    environment: &Environment,
    databases: &Databases,
    living: bool,
) -> anyhow::Result<Option<Invariant>> {
    let further: Vec<Database> = environment.manifest.further_databases().collect();
    if further.is_empty() {
        return Ok(None);
    }
    let begun = Utc::now();
    let (spill, mut known) = (Arc::new(Spill::new()), Known::default());
    let (topics, kept) = read_topics(&environment.brokers, &further, &spill).await.context("reading Kafka")?;
    for database in &further {
        let mut db = databases.of_service(*database).acquire().await?;
        read_database(&mut db, *database, &mut known, |saga, item| spill.put(saga, &item)).await?;
    }
    known.kept.begun = Some(begun);
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
    let services: Vec<&str> = further.iter().map(|database| database.publisher().name()).collect();
    let later = if living { format!(", {later} sagas on their way") } else { String::new() };
    Ok(Some(Invariant {
        what: "Kafka has what the outboxes of further services have, and nothing else",
        looked_at: format!("{}: {rows} rows, {records} records{later}", services.join(", ")),
        findings,
    }))
}

async fn read_topics(brokers: &str, further: &[Database], spill: &Arc<Spill>) -> anyhow::Result<(Topics, Offsets)> {
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
