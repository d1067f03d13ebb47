//! Extent of the topics as read, and how to recognise that they are still the same topics. A topic only grows, at its end.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    hash::{DefaultHasher, Hash, Hasher},
};

use saga::record::Record;
use serde::{Deserialize, Serialize};

use super::Void;
use crate::archive::Offsets;

/// Extent of the topics as read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::audit) struct Log {
    /// By topic and partition.
    pub(in crate::audit) reach: BTreeMap<(String, i32), Reach>,
    /// Digests of the values and the data of requests' dead letters.
    pub(in crate::audit) letters: HashSet<String>,
    pub(in crate::audit) letter_count: usize,
    /// Number of partitions of each topic.
    pub(in crate::audit) partitions: BTreeMap<String, i32>,
}

/// Number of partitions of each topic.
pub(in crate::audit) fn partition_counts(kept: &Offsets) -> BTreeMap<String, i32> {
    let mut counts = BTreeMap::new();
    kept.keys().for_each(|(topic, _)| *counts.entry(topic.clone()).or_default() += 1);
    counts
}

/// Extent of a partition as read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::audit) struct Reach {
    /// Offset after the last record read.
    pub(in crate::audit) end: i64,
    /// Offset of the last record read, and its [`fingerprint`].
    pub(in crate::audit) last: Option<(i64, u64)>,
}

impl Reach {
    /// Extends the reach by one record.
    pub(in crate::audit) fn note(&mut self, record: &Record) {
        self.end = record.offset + 1;
        self.last = Some((record.offset, fingerprint(record)));
    }
}

/// Identifies a record: its timestamp, publisher and type.
fn fingerprint(record: &Record) -> u64 {
    let Record { timestamp_ms, key, value, headers, .. } = record;
    let mut hasher = DefaultHasher::new();
    (timestamp_ms, key, value, headers).hash(&mut hasher);
    hasher.finish()
}

impl Log {
    /// Offsets of `kept` that were not read before, and for each partition the last record read, to recognise the partition by.
    pub(in crate::audit) fn rest(&self, kept: &Offsets) -> Result<Offsets, Void> {
        let was_there = |(topic, partition): &(String, i32)| match kept.get(&(topic.clone(), *partition)) {
            Some(_) => Ok(()),
            None => Err(Void(format!("{topic}/{partition} is not there any more"))),
        };
        self.reach.keys().try_for_each(was_there)?;
        if partition_counts(kept) != self.partitions {
            // Records are now assigned to other partitions than before.
            return Err(Void("topics have other numbers of partitions than before".to_owned()));
        }
        kept.iter()
            .map(|((topic, partition), kept)| {
                let place = (topic.clone(), *partition);
                let Some(reach) = self.reach.get(&place) else { return Ok((place, kept.clone())) };
                if kept.end < reach.end {
                    return Err(Void(format!("{topic}/{partition} ends before what was read of it: it was made anew")));
                }
                let from = reach.last.as_ref().map_or(reach.end, |(offset, _)| *offset);
                Ok((place, from.max(kept.start)..kept.end))
            })
            .collect()
    }

    /// Tells whether the record was read before; [`Void`] if its offset used to hold another record.
    pub(in crate::audit) fn was_read(&self, record: &Record) -> Result<bool, Void> {
        let Some(reach) = self.reach.get(&(record.topic.clone(), record.partition)) else { return Ok(false) };
        if let Some((offset, before)) = &reach.last
            && record.offset == *offset
            && fingerprint(record) != *before
        {
            let Record { topic, partition, offset, .. } = record;
            return Err(Void(format!(
                "{topic}/{partition}/{offset} is another record than before: the topic was made anew"
            )));
        }
        Ok(record.offset < reach.end)
    }

    /// [`Void`] unless the last record of each partition that still retains it was recognised.
    pub(in crate::audit) fn are_recognised(
        &self,
        kept: &Offsets,
        read: &BTreeSet<(String, i32, i64)>,
    ) -> Result<(), Void> {
        for ((topic, partition), reach) in &self.reach {
            let place = (topic.clone(), *partition);
            let Some((last, _)) =
                reach.last.as_ref().filter(|(last, _)| kept.get(&place).is_some_and(|kept| kept.contains(last)))
            else {
                continue;
            };
            if !read.contains(&(topic.clone(), *partition, *last)) {
                return Err(Void(format!("{topic}/{partition}/{last} is no record any more: the topic was made anew")));
            }
        }
        Ok(())
    }

    /// Offsets that were read before and are still retained.
    pub(in crate::audit) fn past(&self, kept: &Offsets) -> Offsets {
        let past = kept.iter().map(|(place, kept)| {
            let end = self.reach.get(place).map_or(kept.start, |reach| reach.end.min(kept.end));
            (place.clone(), kept.start..end)
        });
        past.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(offset: i64, value: &str) -> Record {
        Record { topic: "t".into(), offset, value: Some(value.into()), ..Record::default() }
    }

    fn kept(offsets: std::ops::Range<i64>) -> Offsets {
        Offsets::from([(("t".into(), 0), offsets)])
    }

    fn log(records: &[Record]) -> Log {
        let mut log = Log { partitions: BTreeMap::from([("t".into(), 1)]), ..Log::default() };
        records.iter().for_each(|record| log.reach.entry(("t".into(), 0)).or_default().note(record));
        log
    }

    #[test]
    fn what_has_come_is_read_and_the_last_one_once_more() {
        let log = log(&[record(3, "three"), record(5, "five")]);
        assert_eq!(log.rest(&kept(0..9)), Ok(kept(5..9)));
        assert_eq!(log.rest(&kept(7..9)), Ok(kept(7..9)), "retention has taken what was read");
        assert_eq!(log.past(&kept(1..9)), kept(1..6));
        assert_eq!(log.was_read(&record(5, "five")), Ok(true));
        assert_eq!(log.was_read(&record(6, "six")), Ok(false));
        assert_eq!(self::log(&[]).rest(&kept(2..9)), Ok(kept(2..9)));
    }

    #[test]
    fn a_topic_that_was_made_anew_is_another_one() {
        let log = log(&[record(5, "five")]);
        assert!(log.rest(&kept(0..5)).is_err(), "it ends too early");
        assert!(log.rest(&Offsets::new()).is_err(), "it is not there");
        assert!(log.was_read(&record(5, "other")).is_err());
        let read = BTreeSet::from([("t".to_owned(), 0, 5)]);
        assert_eq!(log.are_recognised(&kept(0..9), &read), Ok(()));
        assert!(log.are_recognised(&kept(0..9), &BTreeSet::new()).is_err(), "something else has its offset");
        assert_eq!(log.are_recognised(&kept(6..9), &BTreeSet::new()), Ok(()), "retention has taken it");
        let more = kept(0..9).into_iter().chain([(("t".into(), 1), 0..0)]).collect();
        assert!(log.rest(&more).is_err(), "another partition");
    }
}
