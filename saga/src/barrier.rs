//! The barrier: what a Try, a Confirm or a Cancel does to a step, whatever came before it.
//!
//! Messages repeat, overtake each other and arrive for things that never happened. DTM's and Seata's "sub-transaction
//! barrier" answers that for calls; this is the same for events. All of it is one table, [`pass`], with an outcome for
//! every pair of status and step: null compensation (a Cancel for nothing succeeds and is remembered), hanging (a Try after
//! its Cancel does nothing), late confirm (a Confirm after a Cancel does nothing), and a Cancel after a Confirm that gives
//! back. Duplicates do not get here: the inbox stops them.
//!
//! A step of one phase (an award, a car that needs no hold) is a Try that leads to [`Status::Confirmed`] at once: the table
//! holds for it as it is. A Cancel gives it back, and a Withdraw is too late.

mod column;

use std::{fmt, str::FromStr};

/// What has become of one service's step for one saga. The word in every `status` column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// Held.
    Reserved,
    /// Taken for good, or done.
    Confirmed,
    /// Released, or never taken.
    Cancelled,
    /// Given back after it had been taken.
    Refunded,
    /// Refused.
    Rejected,
}

impl Status {
    /// Each status.
    pub const ALL: [Status; 5] =
        [Status::Reserved, Status::Confirmed, Status::Cancelled, Status::Refunded, Status::Rejected];

    /// The word in a `status` column.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Reserved => "RESERVED",
            Status::Confirmed => "CONFIRMED",
            Status::Cancelled => "CANCELLED",
            Status::Refunded => "REFUNDED",
            Status::Rejected => "REJECTED",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Status {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Status::ALL.into_iter().find(|status| status.as_str() == text).ok_or_else(|| format!("`{text}` is no status"))
    }
}

/// What an event asks of a step. Whatever undoes it says why: `R` is the business's reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step<R> {
    /// Hold it, or refuse.
    Try,
    /// Take what is held.
    Confirm,
    /// Undo it, however far it has come.
    Cancel(R),
    /// Undo it, unless it has been confirmed: then it is too late.
    Withdraw(R),
}

impl Step<()> {
    /// Each step, without reasons.
    pub const ALL: [Step<()>; 4] = [Step::Try, Step::Confirm, Step::Cancel(()), Step::Withdraw(())];
}

impl<R> Step<R> {
    /// The step's name, without its reason.
    pub const fn name(&self) -> &'static str {
        match self {
            Step::Try => "Try",
            Step::Confirm => "Confirm",
            Step::Cancel(_) => "Cancel",
            Step::Withdraw(_) => "Withdraw",
        }
    }
}

/// What the barrier lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move<R> {
    /// Hold it now, if the domain allows it.
    Reserve,
    /// Take what is held.
    Confirm,
    /// Let go what is held.
    Release(R),
    /// Give back what was taken.
    GiveBack(R),
    /// There is nothing to undo: remember that it must not happen any more, and say that it is undone.
    Forbid(R),
    /// Nothing is done and nothing is said; here is why.
    Nothing(&'static str),
}

impl<R> Move<R> {
    /// The move's name, without its reason.
    pub const fn name(&self) -> &'static str {
        match self {
            Move::Reserve => "Reserve",
            Move::Confirm => "Confirm",
            Move::Release(_) => "Release",
            Move::GiveBack(_) => "GiveBack",
            Move::Forbid(_) => "Forbid",
            Move::Nothing(_) => "Nothing",
        }
    }

    /// Tells whether it changes what is held, or was taken, for the saga.
    pub const fn moves_what_is_held(&self) -> bool {
        match self {
            Move::Confirm | Move::Release(_) | Move::GiveBack(_) => true,
            Move::Reserve | Move::Forbid(_) | Move::Nothing(_) => false,
        }
    }
}

/// The table. `None` is a step that was never heard of.
pub fn pass<R>(status: Option<Status>, step: Step<R>) -> Move<R> {
    use Move::{Forbid, GiveBack, Nothing, Release, Reserve};
    use Status::{Cancelled, Confirmed, Refunded, Rejected, Reserved};
    use Step::{Cancel, Confirm, Try, Withdraw};

    match (status, step) {
        (None, Try) => Reserve,
        (None, Confirm) => Nothing("a confirm of something never tried"),
        (None, Cancel(reason) | Withdraw(reason)) => Forbid(reason),

        (Some(Reserved), Try) => Nothing("already reserved"),
        (Some(Reserved), Confirm) => Move::Confirm,
        (Some(Reserved), Cancel(reason) | Withdraw(reason)) => Release(reason),

        (Some(Confirmed), Try | Confirm) => Nothing("already confirmed"),
        (Some(Confirmed), Cancel(reason)) => GiveBack(reason),
        (Some(Confirmed), Withdraw(_)) => Nothing("too late: already confirmed"),

        (Some(Cancelled), Try) => Nothing("hanging: its cancel came first"),
        (Some(Cancelled), Confirm) => Nothing("late confirm: already cancelled"),
        (Some(Cancelled), Cancel(_) | Withdraw(_)) => Nothing("already cancelled"),

        (Some(Refunded), Try | Confirm) => Nothing("late: already given back"),
        (Some(Refunded), Cancel(_) | Withdraw(_)) => Nothing("already given back"),

        (Some(Rejected), Try | Confirm) => Nothing("already rejected"),
        (Some(Rejected), Cancel(_) | Withdraw(_)) => Nothing("rejected: there is nothing to undo"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(status: Option<Status>, step: Step<()>) -> Option<Status> {
        match pass(status, step) {
            Move::Reserve => Some(Status::Reserved),
            Move::Confirm => Some(Status::Confirmed),
            Move::Release(()) | Move::Forbid(()) => Some(Status::Cancelled),
            Move::GiveBack(()) => Some(Status::Refunded),
            Move::Nothing(_) => status,
        }
    }

    fn statuses() -> impl Iterator<Item = Option<Status>> {
        std::iter::once(None).chain(Status::ALL.into_iter().map(Some))
    }

    /// Repeating a step, under another event id, changes nothing more.
    #[test]
    fn every_step_is_idempotent() {
        for status in statuses() {
            for step in Step::ALL {
                let once = after(status, step);
                assert_eq!(after(once, step), once, "{step:?} twice on {status:?}");
            }
        }
    }

    /// Once ended, a step stays as it is.
    #[test]
    fn an_end_is_an_end() {
        for status in [Status::Cancelled, Status::Refunded, Status::Rejected] {
            for step in Step::ALL {
                assert!(matches!(pass(Some(status), step), Move::Nothing(_)), "{step:?} on {status:?}");
            }
        }
    }

    /// Whatever order Try, Confirm and Cancel arrive in, nothing stays held and nothing stays taken.
    #[test]
    fn a_cancel_wins_in_every_order() {
        use Step::{Confirm, Try};
        const CANCEL: Step<()> = Step::Cancel(());
        for order in [
            [Try, Confirm, CANCEL],
            [Try, CANCEL, Confirm],
            [CANCEL, Try, Confirm],
            [CANCEL, Confirm, Try],
            [Confirm, Try, CANCEL],
            [Confirm, CANCEL, Try],
        ] {
            let end = order.into_iter().fold(None, after);
            assert!(matches!(end, Some(Status::Cancelled | Status::Refunded)), "{order:?} ends {end:?}");
        }
    }

    /// A step of one phase: its Try takes for good.
    #[test]
    fn a_step_of_one_phase_is_a_try_that_confirms_at_once() {
        let after = |status, step| match pass(status, step) {
            Move::Reserve => Some(Status::Confirmed),
            _ => after(status, step),
        };
        let [once, cancelled] = [after(None, Step::Try), after(None, Step::Cancel(()))];
        assert_eq!(once, Some(Status::Confirmed));
        for step in [Step::Try, Step::Confirm, Step::Withdraw(())] {
            assert!(matches!(pass(once, step), Move::Nothing(_)), "done once: {step:?}");
        }
        assert_eq!(after(once, Step::Cancel(())), Some(Status::Refunded));
        assert_eq!(after(cancelled, Step::Try), Some(Status::Cancelled), "its cancel came first");
    }

    #[test]
    fn a_withdrawal_comes_too_late_only_after_the_confirm() {
        assert_eq!(after(Some(Status::Confirmed), Step::Withdraw(())), Some(Status::Confirmed));
        assert_eq!(after(Some(Status::Reserved), Step::Withdraw(())), Some(Status::Cancelled));
        assert_eq!(after(None, Step::Withdraw(())), Some(Status::Cancelled));
    }

    #[test]
    fn what_moves_what_is_held_is_what_takes_it_lets_it_go_or_gives_it_back() {
        let held = |status: Option<Status>| match status {
            Some(Status::Reserved) => "held",
            Some(Status::Confirmed) => "taken",
            Some(Status::Cancelled | Status::Refunded | Status::Rejected) | None => "nothing",
        };
        for status in statuses() {
            for step in Step::ALL {
                let passed = pass(status, step);
                let moves = held(status) != held(after(status, step)) && passed != Move::Reserve;
                assert_eq!(passed.moves_what_is_held(), moves, "{step:?} on {status:?}");
            }
        }
    }

    #[test]
    fn a_status_is_read_as_it_is_written() {
        for status in Status::ALL {
            assert_eq!(status.to_string(), status.as_str());
            assert_eq!(status.as_str().parse(), Ok(status));
        }
        let words = Status::ALL.map(Status::as_str);
        assert_eq!(words, ["RESERVED", "CONFIRMED", "CANCELLED", "REFUNDED", "REJECTED"]);
        assert!("reserved".parse::<Status>().is_err());
    }
}
