//! The life of a payment: the outcome of every command and every answer in every phase.
//!
//! The [barrier](saga::barrier) covers steps that complete at once. A card payment takes time: between a call to the gateway and
//! its answer lie the phases that end in -ing, and anything may arrive meanwhile.

use events::Reason;

use crate::phase::Phase;

/// Input: three commands of the saga, and the meanings of the gateway's answers.
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
    /// The void was refused: the money has been captured, by whatever means.
    CapturedElsewhere,
    Refunded,
    /// The refund was refused: nothing has been captured.
    NotCaptured,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// Hold the total, if the method allows it.
    Hold,
    /// Nothing to undo: remember that the payment must not happen, and publish that it is undone.
    Forbid(Reason),
    /// Held: publish it.
    Held,
    /// Declined: publish it.
    Decline(Reason),
    /// Declined, although it may be held: publish it, and void.
    GiveUp(Reason),
    /// Capture what is held.
    Collect,
    /// The capture has to finish before it can be undone: remember the cancellation.
    NoteCancel(Reason),
    /// Captured: publish it.
    Collected,
    /// The capture failed: publish it.
    CollectFailed(Reason),
    /// Void what is held.
    Release(Reason),
    /// Voided: publish it.
    Released(Reason),
    /// Refund what was captured.
    GiveBack(Reason),
    /// Refunded: publish it.
    GivenBack(Reason),
    /// The payment to be voided has been captured: refund it.
    GiveBackInstead(Reason),
    /// The payment to be refunded has not been captured: void it.
    ReleaseInstead(Reason),
    /// The decline was published, but the money has been captured: refund it, and publish nothing more.
    Recover(Reason),
    /// Do nothing and publish nothing, for this reason.
    Nothing(&'static str),
}

const NOT_ASKED: Move = Move::Nothing("an answer that was not asked for");
const ANSWERED: Move = Move::Nothing("answered already");
const OVER: Move = Move::Nothing("late answer: the payment is over");

/// The table. `None` is an unknown payment.
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
            // The gateway refuses an authorization that arrives after its void, so their order does not matter.
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
            // Settled by an operator: the money was captured, and has been refunded.
            Refunded => GivenBack(reason),
            NotCaptured => NOT_ASKED,
        },
        Some(Phase::Refunding(reason)) => match step {
            Authorize => Nothing("hanging: its cancel came first"),
            Capture => Nothing("late confirm: already being refunded"),
            Cancel(_) => Nothing("already being refunded"),
            Authorized | AuthorizeDeclined(_) | AuthorizeGaveUp | Captured | CaptureRefused(_) => ANSWERED,
            CapturedElsewhere => NOT_ASKED,
            // Settled by an operator: nothing was captured after all, and nothing is held.
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
