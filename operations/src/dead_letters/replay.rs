//! Replays dead letters on their original topics.

use anyhow::Context;
use events::publisher::dead_letter_topic;
use saga::outbox::kafka::headers;

use super::Letter;
use crate::requests::{Client, Place};

/// Publishes a letter's original bytes, key and headers on its original topic; returns the new position.
///
/// # Errors
/// If the letter lacks a part of the record or its original position, if it is not on that topic's dead-letter topic, or if the
/// broker does not accept the record.
pub async fn replay(client: &Client, letter: &Letter) -> anyhow::Result<Place> {
    let name = letter.name();
    let original = letter.original.as_ref().with_context(|| format!("{name} does not name its original position"))?;
    let expected = dead_letter_topic(&original.topic);
    anyhow::ensure!(
        letter.record.topic == expected,
        "{name} names {} as its original topic, but such letters are on {expected}",
        original.topic
    );
    if let Some(without) = &letter.without {
        anyhow::bail!(
            "{name} lacks its {without}, which was too large for it: the original record is at {}",
            original.at()
        );
    }
    let headers = headers(&letter.headers(original));
    client.send(&original.topic, letter.record.key.as_deref(), letter.record.value.as_deref(), headers).await
}
