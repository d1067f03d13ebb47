//! A Kafka record, owned.

use std::panic::{AssertUnwindSafe, catch_unwind};

use outbox::{
    envelope::RawRecord,
    ids::{Coordinates, Original},
};
use rdkafka::{
    Message,
    message::{BorrowedMessage, Header, Headers},
};

/// The header of a record that was published again: where on its topic it first lay, `topic/partition/offset`.
pub const FIRST_AT: &str = "first-at";
/// The header of a record that was published again, beside [`FIRST_AT`]: its first timestamp, milliseconds since 1970.
pub const FIRST_TIMESTAMP: &str = "first-timestamp";

/// The header of an event that an operator says again: how the saga stood with each service when the operator looked at it,
/// `hotel=RESERVED,car=-`. A service where it stands otherwise by then ignores the event.
pub const EXPECTS: &str = "ce_expects";

/// The word in [`EXPECTS`] where a service has never heard of the saga.
pub const ABSENT: &str = "-";

/// Everything of a record that matters here. It keeps the bytes as they came, so that a dead letter loses nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Record {
    /// The topic.
    pub topic: String,
    /// The partition, from 0.
    pub partition: i32,
    /// The place in the partition, from 0.
    pub offset: i64,
    /// Milliseconds since 1970; 0 where the record has none.
    pub timestamp_ms: u64,
    /// The bytes of the key.
    pub key: Option<Vec<u8>>,
    /// The bytes of the value; none of a tombstone.
    pub value: Option<Vec<u8>>,
    /// Names and values, in their order.
    pub headers: Vec<(String, Vec<u8>)>,
}

impl Record {
    /// Where it lies.
    pub fn at(&self) -> Coordinates<'_> {
        Coordinates { topic: &self.topic, partition: self.partition, offset: self.offset }
    }

    /// Where it first lay: what ids are made from, so that a record that is published again means the same.
    pub fn first_at(&self) -> Coordinates<'_> {
        // On another topic it would mean something else.
        self.text(FIRST_AT)
            .and_then(Coordinates::parse)
            .filter(|at| at.topic == self.topic)
            .unwrap_or_else(|| self.at())
    }

    /// When it was first published, in milliseconds since 1970.
    fn first_timestamp_ms(&self) -> u64 {
        let again = self.first_at() != self.at();
        let first = self.text(FIRST_TIMESTAMP).filter(|_| again).and_then(|text| text.parse().ok());
        first.unwrap_or(self.timestamp_ms)
    }

    /// The record as it first lay: what ids are made up from where it comes without.
    pub fn original(&self) -> Original<'_> {
        let (at, timestamp_ms) = (self.first_at(), self.first_timestamp_ms());
        Original { at, timestamp_ms, value: self.value.as_deref() }
    }

    /// The value of the first header of this name.
    pub fn header(&self, wanted: &str) -> Option<&[u8]> {
        let header = self.headers.iter().find(|(name, _)| name == wanted);
        header.map(|(_, value)| value.as_slice())
    }

    /// The same, if it is text.
    pub fn text(&self, wanted: &str) -> Option<&str> {
        self.header(wanted).and_then(|value| std::str::from_utf8(value).ok())
    }

    /// Shows the record to the reader of envelopes.
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

/// The headers whose names are UTF-8 text. Kafka's protocol wants all to be so, but no broker sees to it, and the client
/// panics at one that is not: it must not stop the partition. What has no name can be none of ours and is left out. Of a
/// record with very many of them the rest is left out as well: each costs a panic, and a small record holds hundreds of
/// thousands, compressed.
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

/// Headers without a legible name that a record may have before the rest is not looked at.
const GARBLED_HEADERS: usize = 16;

impl Record {
    /// The record with this value, and at most so many of its headers, the first ones.
    pub(crate) fn of(message: &BorrowedMessage<'_>, value: Option<&[u8]>, headers_max: usize) -> Self {
        Record {
            topic: message.topic().to_owned(),
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

impl From<&BorrowedMessage<'_>> for Record {
    fn from(message: &BorrowedMessage<'_>) -> Self {
        Record::of(message, message.payload(), usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use crate::EventId;

    use super::*;

    /// As the client behaves where the second of three headers has a name that is no text.
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

    /// Nothing but names that are no text.
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
        // With other content it is another one, whatever it says of itself.
        let forged = Record { value: Some(b"{\"nights\":2}".into()), ..again };
        assert_ne!(EventId::from_record(forged.original()), EventId::from_record(first.original()));
    }
}
