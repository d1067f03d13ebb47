//! An owned Kafka record.

use std::panic::{AssertUnwindSafe, catch_unwind};

use outbox::{
    Prefix,
    envelope::RawRecord,
    ids::{Coordinates, Original},
};
use rdkafka::{
    Message,
    message::{BorrowedMessage, Header, Headers},
};

/// Header of a republished record: its original position, `topic/partition/offset`.
pub const FIRST_AT: &str = "first-at";
/// Header of a republished record, beside [`FIRST_AT`]: its original timestamp, milliseconds since 1970.
pub const FIRST_TIMESTAMP: &str = "first-timestamp";

/// Header of an event that an operator republishes: the saga's state at each service when the operator looked at it,
/// `hotel=RESERVED,car=-`. A service where the state has changed since then ignores the event.
pub const EXPECTS: &str = "ce_expects";

/// Word in [`EXPECTS`] for a service that does not know the saga.
pub const ABSENT: &str = "-";

/// A Kafka record with its original bytes, so that a dead letter loses nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Record {
    /// Topic.
    pub topic: String,
    /// Partition, from 0.
    pub partition: i32,
    /// Offset in the partition, from 0.
    pub offset: i64,
    /// Milliseconds since 1970; 0 if the record has no timestamp.
    pub timestamp_ms: u64,
    /// Bytes of the key.
    pub key: Option<Vec<u8>>,
    /// Bytes of the value; `None` for a tombstone.
    pub value: Option<Vec<u8>>,
    /// Header names and values, in order.
    pub headers: Vec<(String, Vec<u8>)>,
}

impl Record {
    /// Position of the record.
    pub fn at(&self) -> Coordinates<'_> {
        Coordinates { topic: &self.topic, partition: self.partition, offset: self.offset }
    }

    /// Original position. Ids are derived from it, so that a republished record keeps its identity.
    pub fn first_at(&self) -> Coordinates<'_> {
        // The header counts only on the topic that it names.
        self.text(FIRST_AT)
            .and_then(Coordinates::parse)
            .filter(|at| at.topic == self.topic)
            .unwrap_or_else(|| self.at())
    }

    /// Time of first publication, in milliseconds since 1970.
    fn first_timestamp_ms(&self) -> u64 {
        let again = self.first_at() != self.at();
        let first = self.text(FIRST_TIMESTAMP).filter(|_| again).and_then(|text| text.parse().ok());
        first.unwrap_or(self.timestamp_ms)
    }

    /// The record as first published. Missing ids are derived from it.
    pub fn original(&self) -> Original<'_> {
        let (at, timestamp_ms) = (self.first_at(), self.first_timestamp_ms());
        Original { at, timestamp_ms, value: self.value.as_deref() }
    }

    /// Value of the first header with this name.
    pub fn header(&self, wanted: &str) -> Option<&[u8]> {
        let header = self.headers.iter().find(|(name, _)| name == wanted);
        header.map(|(_, value)| value.as_slice())
    }

    /// As [`header`](Self::header), if the value is UTF-8 text.
    pub fn text(&self, wanted: &str) -> Option<&str> {
        self.header(wanted).and_then(|value| std::str::from_utf8(value).ok())
    }

    /// Passes the record to `look` in the form that the envelope reader takes.
    pub fn with_raw<T>(&self, look: impl FnOnce(&RawRecord<'_>) -> T) -> T {
        let headers: Vec<(&str, &[u8])> =
            self.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
        look(&RawRecord {
            at: self.first_at(),
            timestamp_ms: self.first_timestamp_ms(),
            headers: &headers,
            value: self.value.as_deref(),
        })
    }
}

/// Headers whose names are UTF-8. Kafka's protocol requires UTF-8, but no broker enforces it, and the client panics on
/// other names; that must not stop the partition. Headers without a readable name are none of ours and are skipped. After
/// `GARBLED_HEADERS` of them the rest is skipped too: each costs a panic, and a small compressed record can hold
/// hundreds of thousands.
pub fn legible<H: Headers>(headers: &H) -> impl Iterator<Item = Header<'_, &[u8]>> {
    let read = |place| catch_unwind(AssertUnwindSafe(|| headers.try_get(place)));
    (0..headers.count())
        .map(read)
        .scan(0, |garbled, header| {
            *garbled += usize::from(header.is_err());
            (*garbled <= GARBLED_HEADERS).then_some(header)
        })
        .filter_map(|header| header.ok().flatten())
}

/// Number of unreadable header names after which the remaining headers are skipped.
const GARBLED_HEADERS: usize = 16;

impl Record {
    /// The record with this value and at most its first `headers_max` headers.
    pub(crate) fn of(message: &BorrowedMessage<'_>, prefix: &Prefix, value: Option<&[u8]>, headers_max: usize) -> Self {
        Record {
            // A client reads topics of its own system alone.
            topic: prefix.name_of(message.topic()).unwrap_or_else(|| message.topic()).to_owned(),
            partition: message.partition(),
            offset: message.offset(),
            timestamp_ms: message.timestamp().to_millis().and_then(|ms| u64::try_from(ms).ok()).unwrap_or(0),
            key: message.key().map(<[u8]>::to_vec),
            value: value.map(<[u8]>::to_vec),
            headers: message.headers().map_or_else(Vec::new, |headers| {
                legible(headers)
                    .take(headers_max)
                    .map(|header| (header.key.to_owned(), header.value.unwrap_or_default().to_vec()))
                    .collect()
            }),
        }
    }
}

impl Record {
    /// The record of a message that a client of a system with this prefix has read.
    pub fn read(message: &BorrowedMessage<'_>, prefix: &Prefix) -> Self {
        Record::of(message, prefix, message.payload(), usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use crate::EventId;

    use super::*;

    /// Behaves as the client does when the second of three headers has a name that is not UTF-8.
    struct Garbled;

    impl Headers for Garbled {
        fn count(&self) -> usize {
            3
        }

        fn try_get(&self, place: usize) -> Option<Header<'_, &[u8]>> {
            let key = std::str::from_utf8([&b"first"[..], b"\xff\xfe", b"third"].get(place)?).unwrap();
            Some(Header { key, value: Some(b"value") })
        }
    }

    #[test]
    fn a_header_whose_name_is_no_text_hides_none_of_the_others() {
        let names: Vec<&str> = legible(&Garbled).map(|header| header.key).collect();
        assert_eq!(names, ["first", "third"]);
    }

    /// Every header name is invalid UTF-8.
    struct AllGarbled(std::cell::Cell<usize>);

    impl Headers for AllGarbled {
        fn count(&self) -> usize {
            500_000
        }

        fn try_get(&self, _place: usize) -> Option<Header<'_, &[u8]>> {
            self.0.set(self.0.get() + 1);
            panic!("no text")
        }
    }

    #[test]
    fn a_record_full_of_headers_without_names_is_soon_given_up() {
        let headers = AllGarbled(std::cell::Cell::new(0));
        assert_eq!(legible(&headers).count(), 0);
        assert!(headers.0.get() <= GARBLED_HEADERS + 1, "{} panics", headers.0.get());
    }

    #[test]
    fn a_record_that_was_published_again_is_the_one_that_it_was() {
        let at = |first_at: &str| {
            let headers = vec![(FIRST_AT.to_owned(), first_at.as_bytes().to_vec())];
            let record =
                Record { topic: "trip.requests".into(), partition: 1, offset: 9, headers, ..Record::default() };
            record.first_at().to_string()
        };
        assert_eq!(at("trip.requests/3/41"), "trip.requests/3/41");
        for odd in ["hotel.events/3/41", "trip.requests/3", ""] {
            assert_eq!(at(odd), "trip.requests/1/9");
        }
    }

    #[test]
    fn a_record_that_was_published_again_has_the_ids_that_it_had() {
        let first = Record {
            topic: "trip.requests".into(),
            partition: 3,
            offset: 41,
            timestamp_ms: 1_700_000_000_123,
            value: Some(b"{}".into()),
            ..Record::default()
        };
        let headers = [(FIRST_AT, "trip.requests/3/41"), (FIRST_TIMESTAMP, "1700000000123")];
        let headers: Vec<_> = headers.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec())).into();
        let again = Record { partition: 1, offset: 9, timestamp_ms: 1_800_000_000_000, headers, ..first.clone() };
        assert_eq!(again.original(), first.original());
        assert_eq!(again.with_raw(|raw| EventId::from_record(raw.original())), EventId::from_record(first.original()));
        // Different content makes it a different record, whatever its headers claim.
        let forged = Record { value: Some(b"{\"nights\":2}".into()), ..again };
        assert_ne!(EventId::from_record(forged.original()), EventId::from_record(first.original()));
    }
}
