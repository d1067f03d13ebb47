//! Numbers that are missing: which rows may be published past them, and when a missing number is lost.
//!
//! Nothing in here asks the database; [`writers`](crate::writers) does.

use std::{
    ops::RangeInclusive,
    time::{Duration, Instant},
};

/// A gap mostly closes within the milliseconds between drawing a number and committing. Only what is older is looked into.
const PATIENCE: Duration = Duration::from_millis(10);

/// How the next visible number relates to the last one that was published.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// It follows directly.
    Next,
    /// The numbers between were rolled back.
    BehindLost(RangeInclusive<i64>),
    /// The numbers between may still appear, so it has to wait.
    BehindGap(RangeInclusive<i64>),
}

/// What to find out before the next read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Inquiry<'a> {
    /// Which open transactions write to the outbox, and what is the highest visible number?
    WhoWrites,
    /// Which of these have not ended?
    WhoIsLeft(&'a [String]),
}

/// Transactions one of which may hold a missing number up to `through`.
#[derive(Debug)]
struct Suspects {
    through: i64,
    writers: Vec<String>,
}

/// What is known about missing numbers.
#[derive(Debug, Default)]
pub(crate) struct Gaps {
    /// What is missing up to here, in a read that begins from now on, is lost.
    settled_through: i64,
    suspects: Option<Suspects>,
    waiting: Option<(RangeInclusive<i64>, Instant)>,
}

impl Gaps {
    /// Where `seq` stands if `last` is the number published last.
    pub(crate) fn place(&self, last: i64, seq: i64) -> Place {
        if seq == last + 1 {
            return Place::Next;
        }
        let missing = last + 1..=seq - 1;
        if *missing.end() <= self.settled_through { Place::BehindLost(missing) } else { Place::BehindGap(missing) }
    }

    /// A read ended: before `gap`, or, if that is none, without meeting one.
    pub(crate) fn read_ended(&mut self, gap: Option<RangeInclusive<i64>>, now: Instant) {
        self.waiting = gap.map(|missing| match self.waiting.take() {
            // Its end may come nearer; as long as its first number is missing it is the same gap.
            Some((same, since)) if same.start() == missing.start() => (missing, since),
            _ => (missing, now),
        });
        if let (Some((missing, _)), Some(suspects)) = (&self.waiting, &self.suspects)
            && suspects.through < *missing.start()
        {
            self.suspects = None;
        }
    }

    /// The gap that is waited for, and since when.
    pub(crate) fn waiting(&self) -> Option<(&RangeInclusive<i64>, Instant)> {
        self.waiting.as_ref().map(|(missing, since)| (missing, *since))
    }

    /// What would help to get past the gap.
    pub(crate) fn inquiry(&self, now: Instant) -> Option<Inquiry<'_>> {
        let (_, since) = self.waiting.as_ref()?;
        match &self.suspects {
            Some(suspects) => Some(Inquiry::WhoIsLeft(&suspects.writers)),
            None => (now.duration_since(*since) >= PATIENCE).then_some(Inquiry::WhoWrites),
        }
    }

    /// The answer to [`Inquiry::WhoWrites`]. Everything up to the highest visible number had been drawn when the writers were
    /// listed, so what is missing there belongs to one of them or to nobody.
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
