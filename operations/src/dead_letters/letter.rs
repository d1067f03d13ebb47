//! One dead letter.

use events::publisher::{self, dead_letter_topic};
use saga::{ids::Coordinates, outbox::Prefix, record::Record};

/// Prefix of the headers that the writer of dead letters adds, as in Spring.
pub(super) const ADDED: &str = "kafka_dlt-";
/// Header that a replay adds: the letter that it comes from.
pub(super) const REPLAY_OF: &str = "replay-of";

/// A record on a dead-letter topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    pub record: Record,
    /// None if the headers do not say: the letter was not written by one of our services.
    pub original: Option<Original>,
    /// `Unreadable` or `Refused`.
    pub class: String,
    pub why: String,
    /// The parts of the record that were too large for the letter; they exist only in the original record.
    pub without: Option<String>,
}

/// Original position of the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Original {
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
    pub timestamp_ms: u64,
}

impl Original {
    pub fn at(&self) -> Coordinates<'_> {
        Coordinates { topic: &self.topic, partition: self.partition, offset: self.offset }
    }
}

impl Letter {
    /// Returns whether the original is a client's request, by the topic that the letter lies on.
    pub fn is_request(&self) -> bool {
        self.record.topic == dead_letter_topic(publisher::CLIENT.topic())
    }

    /// The letter in a record, of a system with this prefix. It names the topic as the broker has it.
    pub fn of(record: Record, prefix: &Prefix) -> Self {
        let text = |name| added(&record, name).map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        let original = || {
            Some(Original {
                topic: prefix.name_of(&text("original-topic")?)?.to_owned(),
                partition: i32::from_be_bytes(added(&record, "original-partition")?.try_into().ok()?),
                offset: i64::from_be_bytes(added(&record, "original-offset")?.try_into().ok()?),
                timestamp_ms: u64::from_be_bytes(added(&record, "original-timestamp")?.try_into().ok()?),
            })
        };
        let original = original();
        let class = text("exception-fqcn").unwrap_or_default();
        let why = text("exception-message").unwrap_or_default();
        let without = text("without");
        Letter { original, class, why, without, record }
    }
}

/// The last header of that name: a replayed letter that failed again may also have older ones.
fn added<'a>(record: &'a Record, name: &str) -> Option<&'a [u8]> {
    let named = |header: &&(String, Vec<u8>)| header.0.strip_prefix(ADDED) == Some(name);
    record.headers.iter().rev().find(named).map(|(_, value)| value.as_slice())
}

impl Letter {
    /// Its name among all dead letters: `topic/partition/offset`.
    pub fn name(&self) -> String {
        self.record.at().to_string()
    }

    /// The letter that this one is a replay of, if any.
    pub fn replay_of(&self) -> Option<String> {
        let header = self.record.headers.iter().find(|(name, _)| name == REPLAY_OF);
        header.map(|(_, value)| String::from_utf8_lossy(value).into_owned())
    }

    /// Size and hash of a value that is not in the letter.
    pub(super) fn digest(&self) -> Option<(u64, String)> {
        let size = added(&self.record, "value-size")?.try_into().ok().map(u64::from_be_bytes)?;
        Some((size, String::from_utf8(added(&self.record, "value-sha256")?.to_vec()).ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(prefix: &str, topic: &str, own: &[(&str, &str)]) -> Letter {
        let added: [(&str, Vec<u8>); 6] = [
            ("kafka_dlt-original-topic", topic.into()),
            ("kafka_dlt-original-partition", 3_i32.to_be_bytes().into()),
            ("kafka_dlt-original-offset", 41_i64.to_be_bytes().into()),
            ("kafka_dlt-original-timestamp", 1_700_000_000_123_i64.to_be_bytes().into()),
            ("kafka_dlt-exception-fqcn", "Unreadable".into()),
            ("kafka_dlt-exception-message", "not JSON".into()),
        ];
        let own = own.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()));
        let headers = own.chain(added.map(|(name, value)| (name.to_owned(), value))).collect();
        let record = Record { topic: format!("{topic}-dlt"), partition: 1, offset: 7, headers, ..Record::default() };
        Letter::of(record, &prefix.parse().expect("a prefix"))
    }

    #[test]
    fn a_letter_says_where_it_lay_and_why_it_is_dead() {
        let letter = letter("", "order.requests", &[]);
        let original = letter.original.clone().expect("it says where it lay");
        assert_eq!(
            (original.at().to_string(), original.timestamp_ms),
            ("order.requests/3/41".into(), 1_700_000_000_123)
        );
        assert_eq!((letter.class.as_str(), letter.why.as_str()), ("Unreadable", "not JSON"));
        assert_eq!(letter.name(), "order.requests-dlt/1/7");
        assert_eq!(Letter::of(Record::default(), &Prefix::default()).original, None);
    }

    #[test]
    fn a_letter_about_another_systems_topic_names_none() {
        assert_eq!(letter("staging.", "staging.order.requests", &[]).original.expect("ours").topic, "order.requests");
        for other in ["order.requests", "test.order.requests"] {
            assert_eq!(letter("staging.", other, &[]).original, None, "{other}");
        }
    }
}
