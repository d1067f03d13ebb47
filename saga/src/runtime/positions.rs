//! Position of a service in each partition, stored in its own database.
//!
//! Kafka's committed offsets can be ahead of a database that was restored, or that failed over without its latest
//! transactions; the events in between would never be read again. So reading starts at the smaller of the two, after
//! every assignment and whenever a new database connection was opened, because it may lead to another server.
//!
//! Positions are saved at most once a second, after the commit of everything before them. A position that is too small
//! only makes the inbox recognise some duplicates.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use outbox::Prefix;
use rdkafka::{Offset, TopicPartitionList};
use sqlx::PgConnection;

use crate::sessions::Sessions;

/// Next offset to process, by topic (as the broker has it) and partition.
pub(crate) type Positions = HashMap<(&'static str, i32), i64>;

/// Interval between saves.
const EVERY: Duration = Duration::from_secs(1);

/// The server that positions were compared with, identified by the connections to it.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    sessions: Option<Sessions>,
    /// Number of connections opened by then.
    opened: u64,
}

impl Server {
    /// The state before any comparison.
    pub(crate) fn none() -> Self {
        Server { sessions: None, opened: 0 }
    }

    /// Returns whether both were identified by the same connections.
    pub(crate) fn is(&self, other: &Server) -> bool {
        self.sessions.is_some() == other.sessions.is_some() && self.opened == other.opened
    }

    /// Returns false once any connection was opened since, because it may lead to another server. Call it while holding a
    /// connection.
    pub(crate) fn is_the_same(&self) -> bool {
        self.sessions.as_ref().is_some_and(|sessions| sessions.opened() == self.opened)
    }
}

/// Positions that are processed but not saved yet.
#[derive(Debug)]
pub(crate) struct Unsaved {
    positions: Positions,
    saved_at: Instant,
}

impl Default for Unsaved {
    fn default() -> Self {
        Unsaved { positions: Positions::new(), saved_at: Instant::now() }
    }
}

impl Unsaved {
    pub(crate) fn note(&mut self, positions: &Positions) {
        self.positions.extend(positions);
    }

    /// Discards positions, which may be wrong for another server.
    pub(crate) fn forget(&mut self) {
        self.positions.clear();
    }

    /// Drops partitions that have been revoked.
    pub(crate) fn leave_out(&mut self, revoked: &[(String, i32)]) {
        self.positions.retain(|(topic, partition), _| !revoked.iter().any(|(t, p)| t == topic && p == partition));
    }

    pub(crate) fn is_due(&self) -> bool {
        !self.positions.is_empty() && self.saved_at.elapsed() >= EVERY
    }

    /// Saves the positions, unless the server has changed meanwhile.
    pub(crate) async fn save(&mut self, sessions: &Sessions, server: &Server, prefix: &Prefix) -> sqlx::Result<()> {
        self.saved_at = Instant::now();
        if self.positions.is_empty() {
            return Ok(());
        }
        let mut db = sessions.acquire().await?;
        if server.is_the_same() {
            save(&mut db, &self.positions, prefix).await?;
            self.positions.clear();
        }
        Ok(())
    }
}

/// Under the names of the service's own table, as other rows have them.
async fn save(db: &mut PgConnection, positions: &Positions, prefix: &Prefix) -> sqlx::Result<()> {
    // In key order, so that two instances never deadlock.
    let mut rows: Vec<(&str, i32, i64)> = positions
        .iter()
        .filter_map(|((topic, partition), next)| Some((prefix.name_of(topic)?, *partition, *next)))
        .collect();
    rows.sort_unstable();
    sqlx::query(
        "insert into consumer_offsets (topic, partition, next_offset)
         select * from unnest($1::text[], $2::int[], $3::bigint[])
         on conflict (topic, partition) do update set next_offset = excluded.next_offset, updated_at = now()",
    )
    .bind(rows.iter().map(|(topic, ..)| *topic).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, partition, _)| *partition).collect::<Vec<_>>())
    .bind(rows.iter().map(|(.., next)| *next).collect::<Vec<_>>())
    .execute(db)
    .await
    .map(drop)
}

/// Maximum usual distance between Kafka's committed offset and the database after a kill: the events between two saves at
/// full speed, plus a margin.
const USUAL: i64 = 10_000;

/// Saved positions, by topic and partition.
type Saved = HashMap<(String, i32), i64>;

/// Loads the saved positions, and identifies the server that has them.
pub(crate) async fn load(sessions: &Sessions, prefix: &Prefix) -> sqlx::Result<(Server, Saved)> {
    // Takes every connection of the pool: a later one is opened only when one of them was lost.
    let (mut db, _other) = (sessions.acquire().await?, sessions.acquire().await?);
    let opened = sessions.opened();
    let rows: Vec<(String, i32, i64)> =
        sqlx::query_as("select topic, partition, next_offset from consumer_offsets").fetch_all(&mut *db).await?;
    let saved =
        rows.into_iter().map(|(topic, partition, next)| ((prefix.of(&topic).to_string(), partition), next)).collect();
    Ok((Server { sessions: Some(sessions.clone()), opened }, saved))
}

/// Starting offsets: for each partition the smaller of Kafka's committed offset and the saved position; the beginning if
/// one of them is missing or if the topic was recreated (`anew`). Partitions whose committed offset Kafka has not
/// reported are left out.
pub(crate) fn beginnings(committed: &TopicPartitionList, saved: &Saved, anew: &HashSet<String>) -> TopicPartitionList {
    let mut all = TopicPartitionList::new();
    for element in committed.elements().iter().filter(|element| element.error().is_ok()) {
        let (topic, partition) = (element.topic(), element.partition());
        let begin = match (element.offset(), saved.get(&(topic.to_owned(), partition))) {
            _ if anew.contains(topic) => Offset::Beginning,
            (Offset::Offset(committed), Some(&saved)) => {
                if committed - saved > USUAL {
                    tracing::warn!(
                        topic,
                        partition,
                        committed,
                        saved,
                        "the database is far behind Kafka's committed offset; reading again from the database's position"
                    );
                }
                Offset::Offset(committed.min(saved))
            }
            _ => Offset::Beginning,
        };
        // Only a malformed offset could be refused here, and these are not.
        let _ = all.add_partition_offset(topic, partition, begin);
    }
    all
}

/// Positions to save for the starting offsets. A recreated topic starts at its beginning, whatever was saved for its
/// predecessor.
pub(crate) fn of(topics: &[&'static str], beginnings: &TopicPartitionList, anew: &HashSet<String>) -> Positions {
    let mut all = Positions::new();
    for element in beginnings.elements() {
        let topic = topics.iter().copied().find(|topic| *topic == element.topic());
        let next = match element.offset() {
            Offset::Offset(next) => Some(next),
            Offset::Beginning if anew.contains(element.topic()) => Some(0),
            _ => None,
        };
        if let (Some(topic), Some(next)) = (topic, next) {
            all.insert((topic, element.partition()), next);
        }
    }
    all
}

/// The first partition that Kafka or the client refuses, and why.
pub(crate) fn refusal(partitions: &TopicPartitionList) -> Option<String> {
    partitions.elements().iter().find_map(|element| {
        let error = element.error().err()?;
        Some(format!("{}[{}]: {error}", element.topic(), element.partition()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_begins_at_the_smaller_of_what_kafka_and_the_database_know() {
        let mut committed = TopicPartitionList::new();
        for (partition, offset) in
            [(0, Offset::Offset(7)), (1, Offset::Offset(7)), (2, Offset::Invalid), (3, Offset::Offset(7))]
        {
            committed.add_partition_offset("t", partition, offset).expect("an offset");
        }
        let offsets = |saved: &Saved, anew: &HashSet<String>| -> Vec<Offset> {
            beginnings(&committed, saved, anew).elements().iter().map(|e| e.offset()).collect()
        };
        let (none, anew) = (HashSet::new(), HashSet::from(["t".to_owned()]));
        let saved = [(0, 5), (1, 9), (2, 5)].map(|(partition, next)| (("t".to_owned(), partition), next)).into();
        let [beginning, at] = [Offset::Beginning, Offset::Offset(7)];
        assert_eq!(offsets(&saved, &none), [Offset::Offset(5), at, beginning, beginning]);
        assert_eq!(offsets(&saved, &anew), [beginning; 4], "a topic that was made anew");
        // Kafka may be far ahead: the database was restored from a time before positions were saved.
        assert_eq!(offsets(&Saved::new(), &none), [beginning; 4], "a database that has saved none");

        let start = beginnings(&committed, &saved, &none);
        let first = of(&["t"], &start, &none);
        assert_eq!(first, Positions::from([(("t", 0), 5), (("t", 1), 7)]));
        let start = beginnings(&committed, &saved, &anew);
        assert!(
            of(&["t"], &start, &anew).values().all(|next| *next == 0),
            "what was saved of the topic before is no more"
        );
    }

    #[test]
    fn a_place_that_was_taken_away_is_not_saved_over_what_its_new_owner_saves() {
        let mut unsaved = Unsaved::default();
        unsaved.note(&Positions::from([(("t", 0), 5), (("t", 1), 7)]));
        unsaved.leave_out(&[("t".to_owned(), 1)]);
        assert_eq!(unsaved.positions, Positions::from([(("t", 0), 5)]));
    }
}
