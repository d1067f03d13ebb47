//! Dead letters: records that a service could not read or refused, with their origin and the reason.
//!
//! A replay publishes the original record again, as it still lies on its topic, and only if the letter agrees with it byte for
//! byte (`provenance.rs`). Repeated replays count once: a record with an id keeps it, and a bare request is given the id that
//! derives from its first position.

mod letter;
mod provenance;
mod replay;

use saga::{outbox::kafka::Cluster, publisher::is_dead_letter_topic};
use std::time::Duration;

use anyhow::Context;
use rdkafka::consumer::{BaseConsumer, Consumer};

use crate::archive;

pub use letter::{Letter, Original};
pub use provenance::Refusal;
pub use replay::{Originals, replay};

const TIMEOUT: Duration = Duration::from_secs(15);

/// All dead letters that the topics retain, by topic, partition and offset. Blocking; run on a thread of its own.
///
/// # Errors
/// If the broker does not answer.
pub fn all(brokers: &Cluster) -> anyhow::Result<Vec<Letter>> {
    let client: BaseConsumer = brokers.client("scenarios").create().context("creating the Kafka client")?;
    let metadata =
        client.fetch_metadata(None, TIMEOUT).with_context(|| format!("fetching the topics from {brokers}"))?;
    let own = metadata.topics().iter().filter_map(|topic| archive::own_name(brokers, topic.name()));
    let topics: Vec<String> = own.filter(|name| is_dead_letter_topic(name)).map(str::to_owned).collect();
    let mut letters = Vec::new();
    archive::read(brokers, &topics, |record| letters.push(Letter::of(record, brokers.prefix())))?;
    letters.sort_by_key(|letter| {
        let at = &letter.record;
        (at.topic.clone(), at.partition, at.offset)
    });
    Ok(letters)
}
