//! What becomes of a saga's steps in a run, as the tables' phases say, and what each service knows of it.

use saga::table::Phase;

/// What a decision does to its step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Change {
    /// Held, until it is confirmed or undone.
    Held,
    /// Taken at once.
    Done,
    /// A Try that has failed.
    Refused,
    Confirmed,
    /// A Confirm that has failed: the step is held as before.
    Unconfirmed,
    /// Undone however far it has come, or forbidden.
    Undone,
    /// Undone unless it is confirmed or done.
    Withdrawn,
}

/// What a decision in this phase has done, if anything: it has changed rows, or said that it fails.
pub(crate) fn change(phase: Phase, rows_changed: bool, refuses: bool) -> Option<Change> {
    match (phase, refuses, rows_changed) {
        (Phase::Try | Phase::Do, true, _) => Some(Change::Refused),
        (Phase::Confirm, true, _) => Some(Change::Unconfirmed),
        (Phase::Cancel | Phase::Withdraw, true, _) | (_, false, false) => None,
        (Phase::Try, false, true) => Some(Change::Held),
        (Phase::Do, false, true) => Some(Change::Done),
        (Phase::Confirm, false, true) => Some(Change::Confirmed),
        (Phase::Cancel, false, true) => Some(Change::Undone),
        (Phase::Withdraw, false, true) => Some(Change::Withdrawn),
    }
}

/// What has become of a step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) enum Standing {
    /// Not taken, and not forbidden.
    #[default]
    None,
    Held,
    /// Confirmed, or done at once.
    Taken,
    Refused,
    Undone,
    /// Undone before it was taken.
    Forbidden,
}

/// Steps of one saga that have been taken and undone, as far as somebody can know: a bit for each step.
///
/// This is the happened-before relation of Lamport ("Time, Clocks, and the Ordering of Events in a Distributed System", 1978)
/// over steps: it is the same in all runs that differ only in the order of what is independent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) struct Past {
    pub(crate) taken: u64,
    pub(crate) undone: u64,
}

impl Past {
    pub(crate) fn join(self, other: Past) -> Past {
        Past { taken: self.taken | other.taken, undone: self.undone | other.undone }
    }
}

/// A step in a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) struct Progress {
    pub(crate) standing: Standing,
    /// What had happened before it was taken.
    pub(crate) past: Past,
}

impl Progress {
    pub(crate) fn is_taken(&self) -> bool {
        matches!(self.standing, Standing::Held | Standing::Taken)
    }

    pub(crate) fn is_undone(&self) -> bool {
        matches!(self.standing, Standing::Undone)
    }

    /// The step after a change by a service that knows this much. Returns the steps that were taken before it and are undone
    /// before it.
    pub(crate) fn change(&mut self, change: Change, knows: Past) -> u64 {
        use Standing::{Forbidden, Held, None, Refused, Taken, Undone};
        let was_taken = self.is_taken();
        self.standing = match (change, self.standing) {
            (Change::Held, None) => Held,
            (Change::Done, None) | (Change::Confirmed, Held) => Taken,
            (Change::Refused, None | Held) => Refused,
            (Change::Unconfirmed, Taken) => Held,
            (Change::Undone, Held | Taken) | (Change::Withdrawn, Held) => Undone,
            (Change::Undone | Change::Withdrawn, None) => Forbidden,
            (_, same) => same,
        };
        if !was_taken && self.is_taken() {
            self.past = knows;
        }
        if was_taken && self.is_undone() { self.past.taken & knows.undone } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANGES: [Change; 7] = [
        Change::Held,
        Change::Done,
        Change::Refused,
        Change::Confirmed,
        Change::Unconfirmed,
        Change::Undone,
        Change::Withdrawn,
    ];

    /// The barrier of `saga`, which has tests of its own, allows no more than this.
    #[test]
    fn what_is_undone_or_refused_is_never_taken_any_more() {
        for end in [Standing::Undone, Standing::Forbidden, Standing::Refused] {
            for change in CHANGES {
                let mut step = Progress { standing: end, past: Past::default() };
                assert_eq!(step.change(change, Past { taken: 1, undone: 1 }), 0);
                assert_eq!(step.standing, end, "{change:?}");
            }
        }
    }

    #[test]
    fn a_step_is_undone_out_of_order_if_one_that_was_taken_before_it_is_undone_before_it() {
        let taken = |before| {
            let mut step = Progress::default();
            assert_eq!(step.change(Change::Held, Past { taken: before, undone: 0 }), 0);
            step
        };
        assert_eq!(taken(0b11).change(Change::Undone, Past { taken: 0b11, undone: 0b10 }), 0b10);
        assert_eq!(
            taken(0b01).change(Change::Undone, Past { taken: 0b11, undone: 0b10 }),
            0,
            "taken after it, or beside it"
        );
        assert_eq!(taken(0b11).change(Change::Undone, Past { taken: 0b11, undone: 0 }), 0);
        assert_eq!(taken(0b11).change(Change::Refused, Past { taken: 0b11, undone: 0b10 }), 0, "it was never held");
    }

    #[test]
    fn a_failed_confirmation_leaves_a_step_held_and_a_late_withdrawal_leaves_it_taken() {
        let mut step = Progress::default();
        let mut after = |change| {
            step.change(change, Past::default());
            step.standing
        };
        assert_eq!(after(Change::Held), Standing::Held);
        assert_eq!(after(Change::Confirmed), Standing::Taken);
        assert_eq!(after(Change::Withdrawn), Standing::Taken);
        assert_eq!(after(Change::Unconfirmed), Standing::Held);
        assert_eq!(after(Change::Withdrawn), Standing::Undone);
    }

    #[test]
    fn a_decision_does_to_its_step_what_its_phase_says_if_it_does_anything() {
        for phase in Phase::ALL {
            assert_eq!(change(phase, false, false), None);
            assert_ne!(change(phase, true, false), None);
        }
        assert_eq!(change(Phase::Try, true, true), Some(Change::Refused), "a refusal that is noted");
        assert_eq!(change(Phase::Confirm, true, true), Some(Change::Unconfirmed));
        assert_eq!(change(Phase::Cancel, true, true), None);
    }
}
