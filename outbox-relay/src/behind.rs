//! Partitions that take nothing for a while: the others go on, and what they have missed is published when they take it.
//!
//! Nothing in here asks the broker or the database. A partition that is left behind goes through these stages:
//! - *Stuck*: what it was given before is with the client, not acknowledged. Reading goes on without it.
//! - *Catching up*: all of that has been acknowledged. What was left out is read again, and given to it.
//! - *Joined*: it has been given all that the others have, and gets what comes next as they do. Once the broker has
//!   acknowledged that, it is behind no longer.
//!
//! In each stage it is given its rows in the order of `seq` and none is left out; and the cursor in the database never passes
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
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Stuck,
    CatchingUp,
    /// When so many batches have arrived, it has acknowledged all that it was given to catch up.
    Joined {
        batches: u64,
    },
}

/// What has changed for partitions that are behind.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    /// They have acknowledged what they were given, and can be given more.
    pub(crate) take_again: Vec<usize>,
    /// They are behind no longer.
    pub(crate) caught_up: Vec<usize>,
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
        let new = Lane { since, acknowledged, given, stage: Stage::Stuck };
        self.0
            .entry(partition)
            .and_modify(|lane| {
                // One that had joined was given what all were given.
                if matches!(lane.stage, Stage::Joined { .. }) {
                    lane.given = given;
                }
                lane.stage = Stage::Stuck;
            })
            .or_insert(new);
    }

    /// Tells whether the partition's rows are left out where all are read.
    pub(crate) fn leaves_out(&self, partition: usize) -> bool {
        self.0.get(&partition).is_some_and(|lane| !matches!(lane.stage, Stage::Joined { .. }))
    }

    /// Every row of every partition that is behind has been acknowledged up to here; None if none is behind.
    pub(crate) fn acknowledged(&self) -> Option<i64> {
        self.0.values().map(|lane| lane.acknowledged).min()
    }

    /// `is_quiet`: the partition has acknowledged all that it was given. `arrived`: so many batches have arrived.
    pub(crate) fn look(&mut self, is_quiet: impl Fn(usize) -> bool, arrived: u64) -> Changes {
        let mut changes = Changes::default();
        for (partition, lane) in &mut self.0 {
            match lane.stage {
                Stage::Stuck if is_quiet(*partition) => {
                    (lane.acknowledged, lane.stage) = (lane.given, Stage::CatchingUp);
                    changes.take_again.push(*partition);
                }
                Stage::CatchingUp if is_quiet(*partition) => lane.acknowledged = lane.given,
                Stage::Joined { batches } if batches <= arrived => changes.caught_up.push(*partition),
                Stage::Stuck | Stage::CatchingUp | Stage::Joined { .. } => {}
            }
        }
        for partition in &changes.caught_up {
            self.0.remove(partition);
        }
        changes
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
    /// `batches`. The others have been given all up to `all_given`.
    pub(crate) fn given(&mut self, through: i64, all_given: i64, batches: u64) {
        for lane in self.0.values_mut().filter(|lane| lane.can_be_given_more()) {
            lane.given = lane.given.max(through);
            if lane.given >= all_given {
                lane.stage = Stage::Joined { batches };
            }
        }
    }

    /// What was given and not acknowledged has been taken back.
    pub(crate) fn take_back(&mut self) {
        for lane in self.0.values_mut() {
            (lane.given, lane.stage) = (lane.acknowledged, Stage::CatchingUp);
        }
    }
}

impl Lane {
    /// One thing after the other: how far it is shall be known.
    fn can_be_given_more(&self) -> bool {
        self.stage == Stage::CatchingUp && self.given == self.acknowledged
    }
}

#[cfg(test)]
mod tests;
