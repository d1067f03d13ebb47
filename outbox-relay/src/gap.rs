//! Gaps in the numbers of the outbox: which rows may be published past them, and when a missing number is known to be lost.
//!
//! This module uses no database; [`writers`](crate::writers) does.

use std::{
    ops::RangeInclusive,
    time::{Duration, Instant},
};

/// Age from which a gap is investigated. Most close within the milliseconds between drawing a number and committing.
const PATIENCE: Duration = Duration::from_millis(10);

/// The relation of the next visible number to the last one published.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// It follows directly.
    Next,
    /// The numbers between were rolled back.
    BehindLost(RangeInclusive<i64>),
    /// The numbers between may still become visible, so it has to wait.
    BehindGap(RangeInclusive<i64>),
}

/// A question to the database before the next read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Inquiry<'a> {
    /// The open transactions that write to the outbox, and the highest visible number.
    WhoWrites,
    /// Those of these transactions that have not ended.
    WhoIsLeft(&'a [String]),
}

/// Transactions that may hold the missing numbers up to `through`.
#[derive(Debug)]
struct Suspects {
    through: i64,
    writers: Vec<String>,
}

/// The state of the missing numbers.
#[derive(Debug, Default)]
pub(crate) struct Gaps {
    /// Numbers up to here that a read which begins from now on does not show are lost.
    settled_through: i64,
    suspects: Option<Suspects>,
    waiting: Option<(RangeInclusive<i64>, Instant)>,
}

impl Gaps {
    /// The place of `seq` if `last` is the number published last.
    pub(crate) fn place(&self, last: i64, seq: i64) -> Place {
        if seq == last + 1 {
            return Place::Next;
        }
        let missing = last + 1..=seq - 1;
        if *missing.end() <= self.settled_through { Place::BehindLost(missing) } else { Place::BehindGap(missing) }
    }

    /// Records that a read ended before `gap`, or without meeting a gap.
    pub(crate) fn read_ended(&mut self, gap: Option<RangeInclusive<i64>>, now: Instant) {
        self.waiting = gap.map(|missing| match self.waiting.take() {
            // The end of a gap may come nearer; while its first number is missing it is the same gap.
            Some((same, since)) if same.start() == missing.start() => (missing, since),
            _ => (missing, now),
        });
        if let (Some((missing, _)), Some(suspects)) = (&self.waiting, &self.suspects)
            && suspects.through < *missing.start()
        {
            self.suspects = None;
        }
    }

    /// The gap that publishing waits for, and since when.
    pub(crate) fn waiting(&self) -> Option<(&RangeInclusive<i64>, Instant)> {
        self.waiting.as_ref().map(|(missing, since)| (missing, *since))
    }

    /// The next question to the database about the gap.
    pub(crate) fn inquiry(&self, now: Instant) -> Option<Inquiry<'_>> {
        let (_, since) = self.waiting.as_ref()?;
        match &self.suspects {
            Some(suspects) => Some(Inquiry::WhoIsLeft(&suspects.writers)),
            None => (now.duration_since(*since) >= PATIENCE).then_some(Inquiry::WhoWrites),
        }
    }

    /// The answer to [`Inquiry::WhoWrites`]. All numbers up to the highest visible one had been drawn when the writers were
    /// listed, so a missing one belongs to one of them or was rolled back.
    pub(crate) fn who_writes(&mut self, highest_visible: i64, writers: Vec<String>) {
        self.suspects = Some(Suspects { through: highest_visible, writers });
        self.settle();
    }

    /// The answer to [`Inquiry::WhoIsLeft`].
    pub(crate) fn who_is_left(&mut self, left: Vec<String>) {
        if let Some(suspects) = &mut self.suspects {
            suspects.writers = left;
        }
        self.settle();
    }

    fn settle(&mut self) {
        if let Some(suspects) = self.suspects.take_if(|suspects| suspects.writers.is_empty()) {
            self.settled_through = self.settled_through.max(suspects.through);
        }
    }
}

#[cfg(test)]
mod tests;
