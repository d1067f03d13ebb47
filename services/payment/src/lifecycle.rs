//! The life of a payment: every phase, everything that can be asked or answered, every outcome.
//!
//! The [barrier](saga::barrier) knows steps that are done at once. A payment by card takes its time: between asking
//! the gateway and its answer lie the phases that end in -ing, and anything may arrive meanwhile.

use events::Reason;

use crate::phase::Phase;

/// What comes in: three requests of the saga, and what the gateway's answers mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    Authorize,
    Capture,
    Cancel(Reason),
    Authorized,
    AuthorizeDeclined(Reason),
    /// No useful answer within the retries.
    AuthorizeGaveUp,
    Captured,
    CaptureRefused(Reason),
    Voided,
    /// The void is refused: the money has been collected, by whatever means.
    CapturedElsewhere,
    Refunded,
    /// The refund is refused: nothing has been collected that could be given back.
    NotCaptured,
}

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// Hold the total, if the method allows it.
    Hold,
    /// There is nothing to undo: remember that it must not happen any more, and say that it is undone.
    Forbid(Reason),
    /// It is held: say so.
    Held,
    /// It will not be paid: say so.
    Decline(Reason),
    /// It will not be paid, although it may be held: say so, and let go.
    GiveUp(Reason),
    /// Collect what is held.
    Collect,
    /// The collecting has to end before it can be undone: remember that it shall be.
    NoteCancel(Reason),
    /// It is collected: say so.
    Collected,
    /// It cannot be collected: say so.
    CollectFailed(Reason),
    /// Let go of what is held.
    Release(Reason),
    /// It is let go: say so.
    Released(Reason),
    /// Give back what was collected.
    GiveBack(Reason),
    /// It is given back: say so.
    GivenBack(Reason),
    /// What was to be let go of has been collected: give it back.
    GiveBackInstead(Reason),
    /// What was to be given back has not been collected: let go of it.
    ReleaseInstead(Reason),
    /// The decline has been said, but the money has been collected: give it back, and say nothing more.
    Recover(Reason),
    /// Nothing is done and nothing is said; here is why.
    Nothing(&'static str),
}

const NOT_ASKED: Move = Move::Nothing("an answer that was not asked for");
const ANSWERED: Move = Move::Nothing("answered already");
const OVER: Move = Move::Nothing("late answer: the payment is over");

/// The table. `None` is a payment that was never heard of.
pub const fn pass(phase: Option<Phase>, step: Step) -> Move {
    use Move::{
        Collect, CollectFailed, Collected, Decline, Forbid, GiveBack, GiveBackInstead, GiveUp, GivenBack, Held, Hold,
        NoteCancel, Nothing, Recover, Release, ReleaseInstead, Released,
    };
    use Step::{
        Authorize, AuthorizeDeclined, AuthorizeGaveUp, Authorized, Cancel, Capture, CaptureRefused, Captured,
        CapturedElsewhere, NotCaptured, Refunded, Voided,
    };

    match phase {
        None => match step {
            Authorize => Hold,
            Capture => Nothing("a capture of something never authorized"),
            Cancel(reason) => Forbid(reason),
            Authorized | AuthorizeDeclined(_) | AuthorizeGaveUp => NOT_ASKED,
            Captured | CaptureRefused(_) | Voided | CapturedElsewhere | Refunded | NotCaptured => NOT_ASKED,
        },
        Some(Phase::Authorizing) => match step {
            Authorize => Nothing("already being authorized"),
            Capture => Nothing("a capture before the authorization"),
            // The gateway refuses an authorization that comes after its void: it does not matter which is faster.
            Cancel(reason) => Release(reason),
            Authorized => Held,
            AuthorizeDeclined(reason) => Decline(reason),
            AuthorizeGaveUp => GiveUp(Reason::GatewayUnavailable),
            Captured | CaptureRefused(_) | Voided | CapturedElsewhere | Refunded | NotCaptured => NOT_ASKED,
        },
        Some(Phase::Authorized) => match step {
            Authorize => Nothing("already authorized"),
            Capture => Collect,
            Cancel(reason) => Release(reason),
            Authorized | AuthorizeDeclined(_) | AuthorizeGaveUp => ANSWERED,
            Captured | CaptureRefused(_) | Voided | CapturedElsewhere | Refunded | NotCaptured => NOT_ASKED,
        },
        Some(Phase::Declined(reason)) => match step {
            Authorize | Capture => Nothing("already declined"),
            Cancel(_) => Nothing("declined: there is nothing to undo"),
            Authorized | AuthorizeDeclined(_) | AuthorizeGaveUp => ANSWERED,
            Captured | CaptureRefused(_) | NotCaptured => NOT_ASKED,
            Voided => Nothing("what may have been held after giving up is let go; the decline has been said"),
            CapturedElsewhere => Recover(reason),
            Refunded => Nothing("what was collected after giving up is given back; the decline has been said"),
        },
        Some(Phase::Capturing { cancel }) => match (step, cancel) {
            (Authorize, _) => Nothing("already authorized"),
            (Capture, _) => Nothing("already being captured"),
            (Cancel(reason), None) => NoteCancel(reason),
            (Cancel(_), Some(_)) => Nothing("a cancel is noted already"),
            (Captured, None) => Collected,
            (Captured, Some(reason)) => GiveBack(reason),
            (CaptureRefused(reason), None) => CollectFailed(reason),
            (CaptureRefused(_), Some(reason)) => Release(reason),
            (Authorized | AuthorizeDeclined(_) | AuthorizeGaveUp, _) => ANSWERED,
            (Voided | CapturedElsewhere | Refunded | NotCaptured, _) => NOT_ASKED,
        },
        Some(Phase::Captured) => match step {
            Authorize | Capture => Nothing("already captured"),
            Cancel(reason) => GiveBack(reason),
            Authorized | AuthorizeDeclined(_) | AuthorizeGaveUp | Captured | CaptureRefused(_) => ANSWERED,
            Voided | CapturedElsewhere | Refunded | NotCaptured => NOT_ASKED,
        },
        Some(Phase::CaptureFailed(_)) => match step {
            Authorize => Nothing("already authorized"),
            Capture => Nothing("the capture has been refused"),
            Cancel(reason) => Release(reason),
            Authorized | AuthorizeDeclined(_) | AuthorizeGaveUp | Captured | CaptureRefused(_) => ANSWERED,
            Voided | CapturedElsewhere | Refunded | NotCaptured => NOT_ASKED,
        },
        Some(Phase::Voiding(reason)) => match step {
            Authorize => Nothing("hanging: its cancel came first"),
            Capture => Nothing("late confirm: already being voided"),
            Cancel(_) => Nothing("already being voided"),
            Authorized | AuthorizeDeclined(_) | AuthorizeGaveUp => Nothing("the void sees to whatever is held"),
            Captured | CaptureRefused(_) => ANSWERED,
            Voided => Released(reason),
            CapturedElsewhere => GiveBackInstead(reason),
            // Settled by a person: the money was collected, and is back.
            Refunded => GivenBack(reason),
            NotCaptured => NOT_ASKED,
        },
        Some(Phase::Refunding(reason)) => match step {
            Authorize => Nothing("hanging: its cancel came first"),
            Capture => Nothing("late confirm: already being refunded"),
            Cancel(_) => Nothing("already being refunded"),
            Authorized | AuthorizeDeclined(_) | AuthorizeGaveUp | Captured | CaptureRefused(_) => ANSWERED,
            CapturedElsewhere => NOT_ASKED,
            // Settled by a person: nothing was collected after all, and nothing is held.
            Voided => Released(reason),
            Refunded => GivenBack(reason),
            NotCaptured => ReleaseInstead(reason),
        },
        Some(Phase::Voided(_) | Phase::Refunded(_) | Phase::Cancelled(_)) => match step {
            Authorize => Nothing("hanging: its cancel came first"),
            Capture => Nothing("late confirm: already cancelled"),
            Cancel(_) => Nothing("already cancelled"),
            Authorized | AuthorizeDeclined(_) | AuthorizeGaveUp => OVER,
            Captured | CaptureRefused(_) | Voided | CapturedElsewhere | Refunded | NotCaptured => OVER,
        },
    }
}
