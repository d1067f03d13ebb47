//! Publishing dead letters again, where they first lay.

use anyhow::Context;
use events::publisher::dead_letter_topic;
use rdkafka::message::{Header, OwnedHeaders};

use super::Letter;
use crate::requests::{Client, Place};

/// Publishes a letter's original bytes, key and headers on its original topic, and says where that was.
///
/// # Errors
/// If the letter does not have all of the record, or does not say where it lay, or lies where none of that topic should, or
/// if the broker does not take it.
pub async fn replay(client: &Client, letter: &Letter) -> anyhow::Result<Place> {
    let name = letter.name();
    let original = letter.original.as_ref().with_context(|| format!("{name} does not say where it first lay"))?;
    let expected = dead_letter_topic(&original.topic);
    anyhow::ensure!(
        letter.record.topic == expected,
        "{name} says that it first lay on {}, but then it would be on {expected}",
        original.topic
    );
    if let Some(without) = &letter.without {
        anyhow::bail!(
            "{name} is without its {without}, which it had no room for: the record lies at {}",
            original.at()
        );
    }
    let headers = letter
        .headers(original)
        .iter()
        .fold(OwnedHeaders::new(), |all, (key, value)| all.insert(Header { key, value: Some(value) }));
    client.send(&original.topic, letter.record.key.as_deref(), letter.record.value.as_deref(), headers).await
}
