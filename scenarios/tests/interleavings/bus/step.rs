//! What can happen next: what is owed, and what may go wrong.

use events::Publisher;
use payment_gateway::payment::Operation;

use super::change::Change;

/// Something that happens to one order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Action {
    /// Which of the orders.
    pub(crate) order: usize,
    pub(crate) what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum What {
    /// A service reads the next event of a publisher.
    Deliver { from: Publisher, to: Publisher },
    /// The outside carries a call out and its answer arrives.
    Answer { attempt: usize },
    /// A service processes an event that it has put aside, or one that has waited behind it.
    TakeUp { by: Publisher },

    /// A service reads an event once more, that it has read before.
    Redeliver { from: Publisher, to: Publisher, nth: usize },
    /// The client publishes its request again.
    RequestAgain,
    /// The client uses the name of its order for another request.
    RequestOther,
    /// The buyer wants out.
    Cancel,
    /// The deadline passes.
    TimeOut,
    /// The gateway carries a call out, but nobody hears its answer: the call will be made again, if it still matters.
    LoseAnswer { attempt: usize },
    /// The retries of a Try are used up.
    GiveUp { attempt: usize },
    /// People change the services' own data.
    Change(Change),
    /// The payment provider does something of its own accord.
    Provider(Operation),

    /// A service cannot process the next event, and puts it aside.
    Park { from: Publisher, to: Publisher },
    /// An event never reaches a service.
    Lose { from: Publisher, to: Publisher },
    /// The retries of a call are used up that has to be made.
    ParkCall { attempt: usize },

    /// An operator has a parked event tried again.
    Retry { at: Publisher },
    /// An operator drops a parked event.
    Resolve { at: Publisher },
    /// An operator has a parked call made again.
    RetryCall { attempt: usize },
    /// An operator has settled a parked call by hand, and says how it ended.
    AnswerCall { attempt: usize },
    /// An operator drops a parked call, and says nothing.
    DropCall { attempt: usize },
    /// Reconcile reads one part more.
    Look,
    /// Reconcile does something about what it has read.
    Repair,
}

impl What {
    /// Happens sooner or later, if nothing else does. Everything else happens at any time, or never.
    pub(crate) fn is_owed(self) -> bool {
        matches!(self, What::Deliver { .. } | What::Answer { .. } | What::TakeUp { .. })
    }

    /// What people do when nothing else goes on.
    pub(crate) fn is_an_operators(self) -> bool {
        matches!(self, What::Retry { .. } | What::RetryCall { .. } | What::AnswerCall { .. } | What::Repair)
    }
}
