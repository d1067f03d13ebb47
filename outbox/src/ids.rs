//! Identities of events and of the records that carry them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Id of one event. A UUIDv7, so that inboxes and outboxes can be partitioned by time by the id itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventId(pub Uuid);

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for EventId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::parse_str(text).map(EventId)
    }
}

/// Position of a record in Kafka.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Coordinates<'a> {
    /// Topic.
    pub topic: &'a str,
    /// Partition, from 0.
    pub partition: i32,
    /// Offset in the partition, from 0.
    pub offset: i64,
}

impl<'a> Coordinates<'a> {
    /// Parses the output of [`Display`](fmt::Display): `topic/partition/offset`. Returns `None` for any other form.
    pub fn parse(text: &'a str) -> Option<Self> {
        let (rest, offset) = text.rsplit_once('/')?;
        let (topic, partition) = rest.rsplit_once('/')?;
        Some(Coordinates { topic, partition: partition.parse().ok()?, offset: offset.parse().ok()? })
    }
}

impl fmt::Display for Coordinates<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.topic, self.partition, self.offset)
    }
}

/// A record as first published: the same on every delivery, and different if any part differs. The position alone is not
/// enough, because a recreated topic counts its offsets from the beginning again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Original<'a> {
    /// Original position.
    pub at: Coordinates<'a>,
    /// Original timestamp, milliseconds since 1970; 0 if the record has none.
    pub timestamp_ms: u64,
    /// Bytes of the value; `None` for a tombstone.
    pub value: Option<&'a [u8]>,
}

impl Original<'_> {
    /// SHA-256 of position, timestamp and value.
    pub fn digest(&self) -> impl AsRef<[u8]> {
        let Original { at, timestamp_ms, value } = self;
        Sha256::new().chain_update(format!("{at} {timestamp_ms} ")).chain_update(value.unwrap_or_default()).finalize()
    }
}

/// Maximum time by which a foreign id may be ahead of its record for its time to be used.
const WINDOW_AHEAD_MS: u64 = 3_600_000;
/// Maximum time by which it may be behind: an inbox remembers at least as long as topics retain, by default a week.
const WINDOW_BEHIND_MS: u64 = 7 * 24 * 3_600_000;

/// The bits that hold the milliseconds of a UUIDv7.
const MS_MASK: u64 = (1 << 48) - 1;

impl EventId {
    /// Creates a new id, ordered by time.
    pub fn new() -> Self {
        EventId(Uuid::now_v7())
    }

    /// Derives the id of a record without one: a UUIDv7 from the record's timestamp and a hash of its position and value,
    /// so it is the same on every delivery.
    pub fn from_record(original: Original<'_>) -> Self {
        let mut random = [0; 10];
        random.copy_from_slice(&original.digest().as_ref()[..10]);
        EventId(uuid::Builder::from_unix_timestamp_millis(original.timestamp_ms, &random).into_uuid())
    }

    /// Returns whether this is the id that [`from_record`](Self::from_record) derives.
    pub fn is_from_record(self, original: Original<'_>) -> bool {
        // The timestamp is compared first, because the value rarely needs hashing.
        self.unix_ms() == Some(original.timestamp_ms & MS_MASK) && self == Self::from_record(original)
    }

    /// Inbox id of a record without an id. No `ce_id` of any source maps to the same one.
    #[must_use]
    pub fn of_record(self, record_ms: u64) -> Self {
        // This byte never occurs in UTF-8 text.
        self.remembered(&[0xff], record_ms)
    }

    /// Inbox id of a foreign event: its id and its source combined, so that no source can use up another's ids. If the
    /// id's time is at most an hour ahead of the record's and at most a week behind it, the result is a UUIDv7 of the
    /// id's millisecond and a hash. An id of another time (a wrong clock, or an attack on the inbox's partitions) is
    /// hashed entirely, as [`from_foreign`](Self::from_foreign) does with anything but a UUIDv7. The same on every
    /// delivery of the record.
    #[must_use]
    pub fn of_source(self, source: &str, record_ms: u64) -> Self {
        self.remembered(source.as_bytes(), record_ms)
    }

    /// As [`of_source`](Self::of_source), of a client's event on behalf of this owner: a client chooses source and id himself.
    #[must_use]
    pub fn of_owner(self, source: &str, owner: &str, record_ms: u64) -> Self {
        match self.unix_ms() {
            Some(_) => self.remembered(format!("{source}\0{owner}").as_bytes(), record_ms),
            // The source is in it already.
            None => {
                hashed(&Sha256::new().chain_update(owner).chain_update([0]).chain_update(self.0.as_bytes()).finalize())
            }
        }
    }

    fn remembered(self, source: &[u8], record_ms: u64) -> Self {
        let Some(ms) = self.unix_ms() else { return self };
        let digest = Sha256::new().chain_update(source).chain_update([0]).chain_update(self.0.as_bytes()).finalize();
        let window = record_ms.saturating_sub(WINDOW_BEHIND_MS)..=record_ms.saturating_add(WINDOW_AHEAD_MS);
        if window.contains(&ms) {
            let mut random = [0; 10];
            random.copy_from_slice(&digest[..10]);
            EventId(uuid::Builder::from_unix_timestamp_millis(ms, &random).into_uuid())
        } else {
            hashed(&digest)
        }
    }

    /// Milliseconds since 1970 of a UUIDv7; `None` for any other id.
    fn unix_ms(self) -> Option<u64> {
        let time = self.0.as_u128() >> 80;
        (self.0.get_version_num() == 7).then_some(time as u64)
    }

    /// Our id for a foreign `ce_id`. A UUIDv7 is used as it is. Anything else is hashed together with its source (in
    /// CloudEvents, source and id together are unique) into a UUIDv8 that begins with `ff`. That lies past every real
    /// time, so it never falls into a time partition of the inbox and expires by its date of arrival instead.
    pub fn from_foreign(source: &str, id: &str) -> Self {
        match Uuid::parse_str(id) {
            Ok(uuid) if uuid.get_version_num() == 7 => EventId(uuid),
            _ => hashed(&Sha256::new().chain_update(source).chain_update([0]).chain_update(id).finalize()),
        }
    }
}

/// A UUIDv8 that begins with `ff`.
fn hashed(digest: &[u8]) -> EventId {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    bytes[0] = 0xff;
    EventId(Uuid::new_v8(bytes))
}

impl Default for EventId {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Coordinates<'_> = Coordinates { topic: "trip.requests", partition: 3, offset: 41 };

    const RECORD: Original<'_> = Original { at: AT, timestamp_ms: 1_700_000_000_123, value: Some(b"{}") };

    #[test]
    fn a_record_has_the_same_ids_on_every_delivery_and_no_other_record_has_them() {
        assert_eq!(EventId::from_record(RECORD), EventId::from_record(RECORD));
        let others = [
            Original { at: Coordinates { offset: 42, ..AT }, ..RECORD },
            Original { at: Coordinates { partition: 4, ..AT }, ..RECORD },
            // The topic was recreated: the same position and request, another time.
            Original { timestamp_ms: 1_700_000_000_124, ..RECORD },
            Original { value: Some(b"{} "), ..RECORD },
        ];
        for other in others {
            assert_ne!(EventId::from_record(other), EventId::from_record(RECORD), "{other:?}");
        }
    }

    /// An attacker guesses position and time of a future bare request, and uses the id that it would get.
    #[test]
    fn no_source_can_use_up_the_id_of_a_record_that_comes_without_one() {
        let id = EventId::from_record(RECORD);
        for source in ["/clients", "", "\u{ff}", "\0"] {
            assert_ne!(id.of_source(source, RECORD.timestamp_ms), id.of_record(RECORD.timestamp_ms), "{source:?}");
        }
        assert_eq!(id.of_record(RECORD.timestamp_ms).unix_ms(), Some(RECORD.timestamp_ms));
    }

    #[test]
    fn coordinates_are_read_as_they_are_written() {
        assert_eq!(Coordinates::parse(&AT.to_string()), Some(AT));
        for bad in ["", "topic", "topic/1", "topic/one/2", "topic/1/2/", "topic/1/two"] {
            assert_eq!(Coordinates::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_made_up_event_id_is_a_v7_with_the_records_time() {
        let id = EventId::from_record(RECORD).0;
        assert_eq!(id.get_version_num(), 7);
        assert_eq!(id.get_timestamp().expect("v7 has a time").to_unix().0, 1_700_000_000);
    }

    #[test]
    fn foreign_ids_are_kept_when_v7_and_hashed_with_their_source_when_not() {
        let v7 = Uuid::now_v7();
        assert_eq!(EventId::from_foreign("/agency", &v7.to_string()).0, v7);
        let hashed = EventId::from_foreign("/agency", "trip-17");
        assert_eq!(hashed, EventId::from_foreign("/agency", "trip-17"));
        assert_ne!(hashed, EventId::from_foreign("/other", "trip-17"));
        assert_eq!(hashed.0.get_version_num(), 8);
        assert_eq!(hashed.0.as_bytes()[0], 0xff);
    }

    #[test]
    fn a_foreign_id_is_remembered_with_its_source_and_only_near_its_records_time_as_a_time() {
        let id = EventId(uuid::Builder::from_unix_timestamp_millis(1_790_000_000_000, &[7; 10]).into_uuid());
        let ms = 1_790_000_000_000_u64;
        let (hour, day) = (3_600_000, 24 * 3_600_000);
        for near in [ms, ms - hour, ms + day, ms + 7 * day] {
            let remembered = id.of_source("/agency", near);
            assert_eq!(remembered.unix_ms(), Some(ms), "{near}");
            assert_ne!(remembered, id);
            assert_ne!(remembered, id.of_source("/other", near));
            assert_eq!(remembered, id.of_source("/agency", ms));
        }
        for far in [ms - hour - 1, ms - 3 * day, ms + 7 * day + 1, 0] {
            let remembered = id.of_source("/agency", far);
            assert_eq!((remembered.0.get_version_num(), remembered.0.as_bytes()[0]), (8, 0xff), "{far}");
            assert_ne!(remembered, id.of_source("/other", far));
        }
        let hashed = EventId::from_foreign("/agency", "trip-17");
        assert_eq!(hashed.of_source("/agency", ms), hashed, "it has its source already");
    }
}
