//! Partitions that take nothing for a while: the others go on, and what they have missed is published when they take it.
//!
//! Nothing in here asks the broker or the database. What a partition was given before it was left behind is with the client,
//! and goes first when the partition takes records again. Then what was left out is read again and given to it, bit by bit:
//! the next when it has acknowledged what it was given before. When it has been given all that the others have it has
//! *joined*, and gets what comes next as they do. Once the broker has acknowledged that, it is behind no longer.
//!
//! All the while it is given its rows in the order of `seq` and none is left out; and the cursor in the database never passes
//! a row that it has not acknowledged. So a successor, which knows nothing of all this, begins before all of them.

use std::{collections::BTreeMap, time::Instant};

/// The partitions that are behind, and how far each is.
#[derive(Debug, Default)]
pub(crate) struct Behind(BTreeMap<usize, Lane>);

#[derive(Debug)]
struct Lane {
    /// Since when it takes nothing.
    since: Instant,
    /// Every row of the partition up to here has been acknowledged.
    acknowledged: i64,
    /// Every row of the partition up to here has been given to it.
    given: i64,
    /// It has joined: when so many batches have arrived, it has acknowledged all that it was given to catch up.
    joined: Option<u64>,
}

impl Lane {
    /// One thing after the other: how far it is shall be known.
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

    /// Since when the first of them has taken nothing.
    pub(crate) fn since(&self) -> Option<Instant> {
        self.0.values().map(|lane| lane.since).min()
    }

    /// Leaves a partition behind that has taken nothing since `since`. Of its rows, those up to `acknowledged` have been
    /// acknowledged and those up to `given` have been given to it.
    pub(crate) fn leave(&mut self, partition: usize, since: Instant, acknowledged: i64, given: i64) {
        let new = Lane { since, acknowledged, given, joined: None };
        // One that had joined was given what all were given, and has yet to acknowledge what it was given before.
        let lane = self.0.entry(partition).or_insert(new);
        if lane.joined.take().is_some() {
            lane.given = given;
        }
    }

    /// Tells whether the partition's rows are left out where all are read.
    pub(crate) fn leaves_out(&self, partition: usize) -> bool {
        self.0.get(&partition).is_some_and(|lane| lane.joined.is_none())
    }

    /// Every row of every partition that is behind has been acknowledged up to here; None if none is behind.
    pub(crate) fn acknowledged(&self) -> Option<i64> {
        self.0.values().map(|lane| lane.acknowledged).min()
    }

    /// `is_quiet`: the partition has acknowledged all that it was given. `arrived`: so many batches have arrived. Returns who
    /// is behind no longer.
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

    /// After which row to read for the partitions that can be given more; None if there are none.
    pub(crate) fn read_after(&self) -> Option<i64> {
        self.0.values().filter(|lane| lane.can_be_given_more()).map(|lane| lane.given).min()
    }

    /// Tells whether a row that was left out is to be given to its partition now.
    pub(crate) fn wants(&self, partition: usize, seq: i64) -> bool {
        self.0.get(&partition).is_some_and(|lane| lane.can_be_given_more() && seq > lane.given)
    }

    /// All that these partitions [want](Self::wants) up to `through` has been given to them, in the batches up to the number
    /// `batches`. The others have been given all up to `all_given`. Returns who has joined.
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

    /// What was given and not acknowledged has been taken back.
    pub(crate) fn take_back(&mut self) {
        for lane in self.0.values_mut() {
            (lane.given, lane.joined) = (lane.acknowledged, None);
        }
    }
}

#[cfg(test)]
mod tests;
