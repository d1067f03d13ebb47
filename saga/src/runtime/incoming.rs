//! What comes into a unit of work, and what becomes of it.

use uuid::Uuid;

use crate::{EventId, runtime::attempts::Claim, says::Says};

/// A command and where it came from.
#[derive(Debug)]
pub struct Incoming<C> {
    /// Where it came from, and so what makes it count once.
    pub origin: Origin,
    /// The event's own id, where the inbox remembers it under another one.
    pub event_id: Option<EventId>,
    /// The event's type, the call's kind, or what a person or a deadline wants: for logs and metrics.
    pub what: String,
    /// W3C trace context of what brought it.
    pub traceparent: Option<String>,
    /// The word for how the saga has to stand here, or the command changes nothing; none if it counts however it stands.
    pub expects: Option<String>,
    /// The command.
    pub command: C,
}

impl<C> Incoming<C> {
    /// The event that everything that follows from the command names as its cause.
    pub(crate) fn cause(&self) -> Option<EventId> {
        self.event_id.or(self.origin.cause())
    }
}

/// What makes a command count once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// An event: the inbox remembers it under this id.
    Event(EventId),
    /// An event that was parked and is tried again: it is settled once.
    Parked(EventId),
    /// The end of an attempt, which ends once: an answer, or, with the claim that has to hold for it, that it is given up.
    /// Caused by the event that asked for the call.
    Attempt {
        /// The attempt.
        id: Uuid,
        /// The event that asked for the call.
        cause: Option<EventId>,
        /// The claim that has to hold, where it is given up.
        given_up: Option<Claim>,
    },
    /// A person or a deadline: the state alone decides.
    Direct,
}

impl Origin {
    /// The id of the event or the attempt; the same for all that have none.
    pub(crate) fn id(self) -> Uuid {
        match self {
            Origin::Event(EventId(id)) | Origin::Parked(EventId(id)) | Origin::Attempt { id, .. } => id,
            Origin::Direct => Uuid::nil(),
        }
    }

    fn cause(self) -> Option<EventId> {
        match self {
            Origin::Event(id) | Origin::Parked(id) => Some(id),
            Origin::Attempt { cause, .. } => cause,
            Origin::Direct => None,
        }
    }
}

/// What has become of one command of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Seen before: nothing was decided.
    Duplicate,
    /// An earlier event of the same saga is parked: this one has to wait behind it.
    Held,
    /// Decided upon, with this outcome.
    Decided(Says),
}
