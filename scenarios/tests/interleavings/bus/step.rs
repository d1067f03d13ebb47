//! What can happen next: what is owed, and what may go wrong.

use events::Publisher;

/// Something that happens to one order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Step {
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

    /// A service reads an event once more, that it has read before.
    Redeliver { from: Publisher, to: Publisher, nth: usize },
    /// The client publishes its request again.
    RequestAgain,
    /// The buyer wants out.
    Cancel,
    /// The deadline passes.
    TimeOut,
    /// The gateway carries a call out, but nobody hears its answer: the call will be made again, if it still matters.
    LoseAnswer { attempt: usize },
    /// The retries are used up.
    GiveUp { attempt: usize },
}

impl What {
    /// Happens sooner or later, if nothing else does. Everything else happens at any time, or never.
    pub(crate) fn is_owed(self) -> bool {
        match self {
            What::Deliver { .. } | What::Answer { .. } => true,
            What::Redeliver { .. } | What::RequestAgain | What::Cancel | What::TimeOut => false,
            What::LoseAnswer { .. } | What::GiveUp { .. } => false,
        }
    }
}
