//! Partitions that accept nothing for a while: the others continue, and these catch up once they accept records again.
//!
//! This module uses no broker and no database. What a partition was given before it was left behind is in the client, and goes
//! first when the partition accepts records again. Then the rows that were left out are read again and given to it, a read at a
//! time: the next once it has acknowledged the one before. When it has been given all that the others have, it has *joined*, and
//! gets new rows as they do. Once it has acknowledged all that it was given to catch up, it is no longer behind.
//!
//! Throughout, it is given its rows in the order of `seq` without a gap, and the cursor in the database never passes a row that
//! it has not acknowledged. So a successor, which knows nothing of all this, begins before all of these rows.

use std::{collections::BTreeMap, time::Instant};

/// The partitions that are left behind, and the progress of each.
#[derive(Debug, Default)]
pub(crate) struct Behind(BTreeMap<usize, Lane>);

#[derive(Debug)]
struct Lane {
    /// Since when it has accepted nothing.
    since: Instant,
    /// Every row of the partition up to here has been acknowledged.
    acknowledged: i64,
    /// Every row of the partition up to here has been given to it.
    given: i64,
    /// Number of batches after whose arrival it has acknowledged all that it was given to catch up; None until it has joined.
    joined: Option<u64>,
}

impl Lane {
    /// True if all that it was given before has been acknowledged, so that its progress is known exactly.
    fn can_be_given_more(&self) -> bool {
        self.joined.is_none() && self.given == self.acknowledged
    }
}

impl Behind {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The numbers of the partitions.
    pub(crate) fn partitions(&self) -> Vec<usize> {
        self.0.keys().copied().collect()
    }

    /// Since when the first of them has accepted nothing.
    pub(crate) fn since(&self) -> Option<Instant> {
        self.0.values().map(|lane| lane.since).min()
    }

    /// Leaves a partition behind that has accepted nothing since `since`. Of its rows, those up to `acknowledged` have been
    /// acknowledged and those up to `given` have been given to it.
    pub(crate) fn leave(&mut self, partition: usize, since: Instant, acknowledged: i64, given: i64) {
        let new = Lane { since, acknowledged, given, joined: None };
        // One that had joined was given what the others were, and has yet to acknowledge what it was given before.
        let lane = self.0.entry(partition).or_insert(new);
        if lane.joined.take().is_some() {
            lane.given = given;
        }
    }

    /// True if the partition's rows are left out of normal reads.
    pub(crate) fn leaves_out(&self, partition: usize) -> bool {
        self.0.get(&partition).is_some_and(|lane| lane.joined.is_none())
    }

    /// The number up to which every row of these partitions has been acknowledged; None if none is left behind.
    pub(crate) fn acknowledged(&self) -> Option<i64> {
        self.0.values().map(|lane| lane.acknowledged).min()
    }

    /// Updates the progress of each partition. `is_quiet` is true of one that has acknowledged all that it was given; `arrived`
    /// is the number of batches that have arrived. Returns the partitions that have caught up.
    pub(crate) fn look(&mut self, is_quiet: impl Fn(usize) -> bool, arrived: u64) -> Vec<usize> {
        for (partition, lane) in &mut self.0 {
            if lane.joined.is_none() && is_quiet(*partition) {
                lane.acknowledged = lane.given;
            }
        }
        let mut caught_up = Vec::new();
        self.0.retain(|partition, lane| {
            let has = lane.joined.is_some_and(|batches| batches <= arrived);
            if has {
                caught_up.push(*partition);
            }
            !has
        });
        caught_up
    }

    /// The row after which to read for the partitions that can be given more; None if there are none.
    pub(crate) fn read_after(&self) -> Option<i64> {
        self.0.values().filter(|lane| lane.can_be_given_more()).map(|lane| lane.given).min()
    }

    /// True if a row that was left out is to be given to its partition now.
    pub(crate) fn wants(&self, partition: usize, seq: i64) -> bool {
        self.0.get(&partition).is_some_and(|lane| lane.can_be_given_more() && seq > lane.given)
    }

    /// Records that these partitions were given all that they [want](Self::wants) up to `through`, in the batches up to number
    /// `batches`, while the others were given all up to `all_given`. Returns the partitions that have joined.
    pub(crate) fn given(&mut self, through: i64, all_given: i64, batches: u64) -> Vec<usize> {
        let mut joined = Vec::new();
        for (partition, lane) in self.0.iter_mut().filter(|(_, lane)| lane.can_be_given_more()) {
            lane.given = lane.given.max(through);
            if lane.given >= all_given {
                lane.joined = Some(batches);
                joined.push(*partition);
            }
        }
        joined
    }

    /// Takes back what was given and not acknowledged.
    pub(crate) fn take_back(&mut self) {
        for lane in self.0.values_mut() {
            (lane.given, lane.joined) = (lane.acknowledged, None);
        }
    }
}

#[cfg(test)]
mod tests;
