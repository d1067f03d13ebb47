//! Replays dead letters on their original topics.

use std::collections::{BTreeMap, BTreeSet};

use saga::{
    outbox::kafka::{Cluster, headers},
    record::Record,
};

use super::{
    Letter,
    provenance::{Topics, first_of, verify},
};
use crate::{
    archive::{self, Offsets},
    requests::{Client, Place},
};

/// Topic, partition and offset.
type Position = (String, i32, i64);

/// The records that letters name, as far as they are still there.
#[derive(Debug, Default)]
pub struct Originals(BTreeMap<Position, Record>);

impl Topics for Originals {
    fn at(&self, topic: &str, partition: i32, offset: i64) -> Option<&Record> {
        self.0.get(&(topic.to_owned(), partition, offset))
    }
}

impl Originals {
    /// Reads the records that these letters name. Blocking; run on a thread of its own.
    ///
    /// # Errors
    /// If the broker does not answer.
    pub fn of(cluster: &Cluster, letters: &[Letter]) -> anyhow::Result<Self> {
        let named = letters.iter().filter_map(|letter| letter.original.as_ref());
        let named = named.map(|original| (original.topic.clone(), original.partition, original.offset));
        let mut found = read(cluster, named.collect())?;
        // Those that are replays themselves, and where they lay before.
        let firsts = found.values().filter_map(first_of);
        let firsts = firsts.map(|at| (at.topic.to_owned(), at.partition, at.offset)).collect();
        found.extend(read(cluster, firsts)?);
        Ok(Originals(found))
    }
}

/// The records at these positions, without those that are gone.
fn read(cluster: &Cluster, mut wanted: BTreeSet<Position>) -> anyhow::Result<BTreeMap<Position, Record>> {
    let topics: BTreeSet<String> = wanted.iter().map(|(topic, ..)| topic.clone()).collect();
    let mut found = BTreeMap::new();
    if topics.is_empty() {
        return Ok(found);
    }
    let kept = archive::kept(cluster, &topics.into_iter().collect::<Vec<_>>())?;
    let is_kept = |topic: &String, partition, offset| {
        kept.get(&(topic.clone(), partition)).is_some_and(|offsets| offsets.contains(&offset))
    };
    wanted.retain(|(topic, partition, offset)| is_kept(topic, *partition, *offset));
    // One record of each partition at a time.
    while !wanted.is_empty() {
        let mut now = Offsets::new();
        for (topic, partition, offset) in &wanted {
            now.entry((topic.clone(), *partition)).or_insert(*offset..*offset + 1);
        }
        for ((topic, partition), offsets) in &now {
            wanted.remove(&(topic.clone(), *partition, offsets.start));
        }
        let asked = now.clone();
        archive::read_from(cluster, now, |record| {
            let place = (record.topic.clone(), record.partition);
            // One that has just expired: the broker goes on with the next.
            if asked.get(&place).is_some_and(|offsets| offsets.start == record.offset) {
                found.insert((place.0, place.1, record.offset), record);
            }
        })?;
    }
    Ok(found)
}

/// Publishes the record that a letter names again, as it lies on its topic; returns the new position.
///
/// # Errors
/// A [`Refusal`](super::Refusal) if the letter does not agree with that record, or the broker's reason not to accept it.
pub async fn replay(client: &Client, letter: &Letter, originals: &Originals) -> anyhow::Result<Place> {
    let publication = verify(letter, originals)?;
    let headers = headers(&publication.headers);
    client.send(publication.topic, publication.key, publication.value, headers).await
}
