//! The proof that a dead letter is about a record of its topic. Whoever may write a dead-letter topic could otherwise have his
//! own record published under the operator's name.
//!
//! A replay publishes what still lies at the position that the letter names, never what the letter itself holds. A letter that
//! disagrees with it in a single byte is refused, and so is one whose original is gone.

use std::fmt;

use events::publisher::{self, dead_letter_topic};
use saga::{
    ids::Coordinates,
    record::{FIRST_AT, FIRST_TIMESTAMP, Record},
};
use sha2::{Digest, Sha256};

use super::{
    Letter,
    letter::{ADDED, Original, REPLAY_OF},
};

/// Header of a client's record with his credentials.
const CREDENTIALS: &str = "authorization";

/// What remains of a record at its position, if anything.
pub(super) trait Topics {
    fn at(&self, topic: &str, partition: i32, offset: i64) -> Option<&Record>;
}

/// A record to publish again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Publication<'a> {
    pub(super) topic: &'a str,
    pub(super) key: Option<&'a [u8]>,
    pub(super) value: Option<&'a [u8]>,
    pub(super) headers: Vec<(String, Vec<u8>)>,
}

/// The reason why a letter is not replayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The letter does not say where the record lay.
    NoOriginal,
    /// The letter is not among those of the topic that it names.
    OtherTopic { named: String },
    /// Nothing lies at the position any more, or nothing ever did.
    Gone { at: String },
    /// Another record lies there, or the letter was changed.
    Differs { at: String, in_what: &'static str },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::NoOriginal => f.write_str("it does not name its original position: none of our services wrote it"),
            Refusal::OtherTopic { named } => {
                write!(
                    f,
                    "it names {named} as its original topic, but such letters are on {}",
                    dead_letter_topic(named)
                )
            }
            Refusal::Gone { at } => write!(
                f,
                "the record that it names, {at}, is not there any more, so nothing proves that it ever was; if the buyer still \
                 wants it, have the request made again, under its maker's name: `scenarios dlt show` has what the letter says"
            ),
            Refusal::Differs { at, in_what } => {
                write!(f, "its {in_what} not what lies at {at}: the letter is forged or damaged; find out who wrote it")
            }
        }
    }
}

impl std::error::Error for Refusal {}

/// The position that a record says it was first published at, if it is another one.
pub(super) fn first_of(record: &Record) -> Option<Coordinates<'_>> {
    let first = record.first_at();
    (first != record.at()).then_some(first)
}

/// The record to publish for a letter: its original, as it lies on its topic.
///
/// # Errors
/// Why the letter proves nothing.
pub(super) fn verify<'a>(letter: &'a Letter, topics: &'a impl Topics) -> Result<Publication<'a>, Refusal> {
    let named = letter.original.as_ref().ok_or(Refusal::NoOriginal)?;
    if letter.record.topic != dead_letter_topic(&named.topic) {
        return Err(Refusal::OtherTopic { named: named.topic.clone() });
    }
    let at = || named.at().to_string();
    let found = topics.at(&named.topic, named.partition, named.offset).ok_or_else(|| Refusal::Gone { at: at() })?;
    if let Some(in_what) = difference(letter, named, found) {
        return Err(Refusal::Differs { at: at(), in_what });
    }
    Ok(Publication {
        topic: &named.topic,
        key: found.key.as_deref(),
        value: found.value.as_deref(),
        headers: headers(letter, found, topics)?,
    })
}

/// What a letter says otherwise than the record at its position.
fn difference(letter: &Letter, named: &Original, found: &Record) -> Option<&'static str> {
    let lacks = |part: &str| letter.without.iter().any(|without| without.split(", ").any(|lacking| lacking == part));
    // The record's own headers come first; the writer of the letter added his.
    let headers: Vec<_> = lasting(&named.topic, &letter.record.headers).collect();
    let lay: Vec<_> = lasting(&named.topic, &found.headers).collect();
    let own = headers.iter().zip(&lay).take_while(|(said, found)| said == found).count();
    // A record that was too large was read with its first headers only.
    let are_all = own == lay.len() || letter.without.is_some();
    let headers_agree = are_all && headers[own..].iter().all(|(name, _)| name.starts_with(ADDED));
    let value_agrees = match (lacks("value"), letter.digest(), found.value.as_deref()) {
        (false, _, value) => letter.record.value.as_deref() == value,
        (true, Some((size, sha256)), Some(value)) => size == value.len() as u64 && sha256 == hash(value),
        (true, ..) => false,
    };
    if named.timestamp_ms != found.timestamp_ms {
        Some("time is")
    } else if !lacks("key") && letter.record.key != found.key {
        Some("key is")
    } else if !value_agrees {
        Some("value is")
    } else if !headers_agree {
        Some("headers are")
    } else {
        None
    }
}

fn hash(value: &[u8]) -> String {
    Sha256::digest(value).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The headers of a replay: the record's, and those that make it count once.
fn headers(letter: &Letter, found: &Record, topics: &impl Topics) -> Result<Vec<(String, Vec<u8>)>, Refusal> {
    let first = match first_of(found) {
        Some(first) => {
            let at = first.to_string();
            let record = topics.at(first.topic, first.partition, first.offset);
            let record = record.ok_or_else(|| Refusal::Gone { at: at.clone() })?;
            if !is_replay_of(found, record) {
                return Err(Refusal::Differs { at, in_what: "first position is" });
            }
            record
        }
        None => found,
    };
    let mut headers: Vec<(String, Vec<u8>)> = own_headers(found).cloned().collect();
    if first.topic == publisher::CLIENT.topic() {
        // The ids of a bare request derive from its first position and time. So it becomes the same order however often it is
        // replayed, even if a later version of the program can read the original record.
        headers.push((FIRST_AT.to_owned(), first.at().to_string().into_bytes()));
        headers.push((FIRST_TIMESTAMP.to_owned(), first.timestamp_ms.to_string().into_bytes()));
    }
    headers.push((REPLAY_OF.to_owned(), letter.name().into_bytes()));
    Ok(headers)
}

/// The headers of a record on this topic that a service keeps: it removes a client's credentials from whatever it writes, and a
/// replay comes with those of its sender.
fn lasting<'a>(topic: &str, headers: &'a [(String, Vec<u8>)]) -> impl Iterator<Item = &'a (String, Vec<u8>)> {
    let has_credentials = topic == publisher::CLIENT.topic();
    headers.iter().filter(move |(name, _)| !(has_credentials && name.eq_ignore_ascii_case(CREDENTIALS)))
}

/// The headers that a record had before any replay.
fn own_headers(record: &Record) -> impl Iterator<Item = &(String, Vec<u8>)> {
    lasting(&record.topic, &record.headers)
        .filter(|(name, _)| ![FIRST_AT, FIRST_TIMESTAMP, REPLAY_OF].contains(&name.as_str()))
}

/// Returns whether `again` is what a replay made of `first`, which was no replay itself.
fn is_replay_of(again: &Record, first: &Record) -> bool {
    first_of(first).is_none()
        && (&again.key, &again.value) == (&first.key, &first.value)
        && own_headers(again).eq(own_headers(first))
        && again.text(FIRST_TIMESTAMP) == Some(&first.timestamp_ms.to_string())
}

#[cfg(test)]
#[path = "provenance_tests.rs"]
mod tests;
