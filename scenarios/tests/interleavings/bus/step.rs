//! Actions: what will happen eventually, and what may go wrong.

use events::Publisher;
use payment_gateway::payment::Operation;

use super::change::Change;

/// One action: something that happens to one order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Action {
    /// Index of the order.
    pub(crate) order: usize,
    pub(crate) what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum What {
    /// A service reads the next event of a publisher.
    Deliver { from: Publisher, to: Publisher },
    /// The outside carries out a call, and its answer arrives.
    Answer { attempt: usize },
    /// A service processes an event that it had parked, or one that waited behind it.
    TakeUp { by: Publisher },

    /// A service reads an event again.
    Redeliver { from: Publisher, to: Publisher, nth: usize },
    /// The client publishes its request again.
    RequestAgain,
    /// The client reuses its order's id for another request.
    RequestOther,
    /// The buyer cancels.
    Cancel,
    /// The deadline passes.
    TimeOut,
    /// The gateway carries out a call, but its answer is lost: the call will be repeated if it still matters.
    LoseAnswer { attempt: usize },
    /// The retries of a Try are used up.
    GiveUp { attempt: usize },
    /// An operator changes the services' own data.
    Change(Change),
    /// The payment provider acts on its own.
    Provider(Operation),

    /// A service cannot process the next event, and parks it.
    Park { from: Publisher, to: Publisher },
    /// An event never reaches a service.
    Lose { from: Publisher, to: Publisher },
    /// The retries of a call that has to succeed are used up.
    ParkCall { attempt: usize },

    /// An operator retries a parked event.
    Retry { at: Publisher },
    /// An operator resolves a parked event.
    Resolve { at: Publisher },
    /// An operator retries a parked call.
    RetryCall { attempt: usize },
    /// An operator answers a parked call by hand.
    AnswerCall { attempt: usize },
    /// An operator drops a parked call without an answer.
    DropCall { attempt: usize },
    /// Reconcile reads the next part.
    Look,
    /// Reconcile acts upon what it has read.
    Repair,
}

impl What {
    /// Tells whether the action happens eventually if no other does. All other actions may happen at any time, or never.
    pub(crate) fn is_owed(self) -> bool {
        matches!(self, What::Deliver { .. } | What::Answer { .. } | What::TakeUp { .. })
    }

    /// Tells whether operators take the action when nothing else goes on.
    pub(crate) fn is_an_operators(self) -> bool {
        matches!(self, What::Retry { .. } | What::RetryCall { .. } | What::AnswerCall { .. } | What::Repair)
    }
}
