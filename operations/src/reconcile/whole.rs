//! Checks that a picture is complete: everything in flight when it was taken has arrived since.

use saga::outbox::kafka::Cluster;
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::time::sleep;

use crate::{
    Database,
    archive::{self, Offsets},
    choreography,
    databases::Databases,
    listener::{Ends, Since, assigned},
    positions::{self, Saved},
};

/// Minimum interval between two looks.
const PAUSE: Duration = Duration::from_secs(1);
/// Minimum patience: services save their positions once a second.
const LEAST: Duration = Duration::from_secs(5);
/// Timeout for the last answer.
const ANSWER: Duration = Duration::from_secs(10);
/// Polling interval of the services' progress.
const ASK: Duration = Duration::from_millis(250);

/// Waits at most `patience` until everything written by now is published and read by all its consumers. If that takes longer, the
/// result says what is still in flight.
///
/// # Errors
/// If a database or the broker does not answer.
pub async fn arrived(
    brokers: &Cluster,
    databases: &Databases,
    patience: Duration,
) -> anyhow::Result<Result<(), String>> {
    sleep(PAUSE).await;
    let patience = patience.max(LEAST);
    within(patience + ANSWER, has_arrived(brokers, databases, Instant::now() + patience)).await
}

/// Bounds the waiting for those that do not answer at all.
async fn within(
    bound: Duration,
    arriving: impl Future<Output = anyhow::Result<Result<(), String>>>,
) -> anyhow::Result<Result<(), String>> {
    let silent = |_| Ok(Err(format!("a database or the broker has not answered within {} s", bound.as_secs())));
    tokio::time::timeout(bound, arriving).await.unwrap_or_else(silent)
}

async fn has_arrived(brokers: &Cluster, databases: &Databases, last: Instant) -> anyhow::Result<Result<(), String>> {
    let mut said = Vec::new();
    for database in Database::OF_THE_SHOP {
        let seq: Option<i64> = sqlx::query_scalar("select max(seq) from outbox")
            .fetch_one(databases.of_service(database))
            .await
            .with_context(|| format!("reading the end of the outbox of {database}"))?;
        said.push((database, seq.unwrap_or(0)));
    }
    for (database, seq) in said {
        loop {
            let published: i64 = sqlx::query_scalar("select last_seq from relay_cursor")
                .fetch_one(databases.of_service(database))
                .await
                .with_context(|| format!("reading the relay's position for {database}"))?;
            if published >= seq {
                break;
            }
            if Instant::now() >= last {
                return Ok(Err(format!("{} events of {database} are not published", seq - published)));
            }
            sleep(ASK).await;
        }
    }
    let ends = ends(brokers.to_owned()).await?;
    for database in Database::OF_THE_SHOP {
        let mut before = i64::MAX;
        loop {
            let saved = positions::of(databases, database).await?;
            let unread = unread(&ends, topics_of(database), &saved);
            let now: i64 = unread.values().map(|offsets| offsets.end - offsets.start).sum();
            // A position that does not move may have only transaction markers after it.
            if now == 0 || now == before && !have_records(brokers, unread).await? {
                break;
            }
            if Instant::now() >= last {
                return Ok(Err(format!("{} is {now} records behind", database.publisher())));
            }
            before = now;
            sleep(ASK).await;
        }
    }
    Ok(Ok(()))
}

async fn ends(brokers: Cluster) -> anyhow::Result<Ends> {
    let all = Database::OF_THE_SHOP.iter().flat_map(|database| topics_of(*database));
    let topics: Vec<String> = all.map(|topic| (*topic).to_owned()).collect();
    tokio::task::spawn_blocking(move || assigned(&brokers, &topics, Since::Now).map(|(_, ends)| ends)).await?
}

/// The topics that a service consumes.
fn topics_of(database: Database) -> &'static [&'static str] {
    choreography::topics_of(database.publisher())
}

async fn have_records(brokers: &Cluster, offsets: Offsets) -> anyhow::Result<bool> {
    let brokers = brokers.to_owned();
    Ok(!tokio::task::spawn_blocking(move || archive::with_records(&brokers, offsets)).await??.is_empty())
}

/// Offsets before the ends that are not done. A partition without a position has not been read at all.
fn unread(ends: &Ends, topics: &[&str], saved: &Saved) -> Offsets {
    let ends = ends.iter().filter(|((topic, _), _)| topics.contains(&topic.as_str()));
    let unread = ends.map(|(place, end)| (place.clone(), saved.get(place).copied().unwrap_or(0)..*end));
    unread.filter(|(_, offsets)| !offsets.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn nobody_who_never_answers_is_waited_for() {
        let waited = tokio::time::timeout(LEAST * 10, within(LEAST, std::future::pending())).await;
        let why = waited.expect("it ends").expect("it can be told").expect_err("not whole");
        assert_eq!(why, "a database or the broker has not answered within 5 s");
        assert_eq!(within(LEAST, async { Ok(Ok(())) }).await.expect("it can be told"), Ok(()));
    }

    #[test]
    fn a_service_is_behind_by_what_it_has_not_done_of_its_own_topics() {
        let at = |topic: &str, partition| (topic.to_owned(), partition);
        let ends = Ends::from([(at("a", 0), 10), (at("a", 1), 5), (at("b", 0), 7)]);
        assert_eq!(unread(&ends, &["a"], &Saved::new()), Offsets::from([(at("a", 0), 0..10), (at("a", 1), 0..5)]));
        let one = unread(&ends, &["a"], &Saved::from([(at("a", 0), 10), (at("a", 1), 4)]));
        assert_eq!(one, Offsets::from([(at("a", 1), 4..5)]));
        assert!(unread(&ends, &["a"], &Saved::from([(at("a", 0), 12), (at("a", 1), 5)])).is_empty());
        assert!(topics_of(Database::ACCOUNTS).contains(&"inventory.events"));
        assert!(!topics_of(Database::ACCOUNTS).contains(&"notification.events"));
    }
}
