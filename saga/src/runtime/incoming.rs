//! Commands that enter a unit of work, and their outcomes.

use uuid::Uuid;

use crate::{EventId, runtime::attempts::Claim, says::Says};

/// A command and its origin.
#[derive(Debug)]
pub struct Incoming<C> {
    /// Origin of the command; determines how duplicates are recognised.
    pub origin: Origin,
    /// The event's own id, if the inbox records it under another one.
    pub event_id: Option<EventId>,
    /// Event type, kind of call, or what a person or a deadline wants; for logs and metrics.
    pub what: String,
    /// W3C trace context of the cause.
    pub traceparent: Option<String>,
    /// State that the saga must have here for the command to count; `None` if it counts in any state.
    pub expects: Option<String>,
    /// The command.
    pub command: C,
}

impl<C> Incoming<C> {
    /// The event that all resulting events name as their cause.
    pub(crate) fn cause(&self) -> Option<EventId> {
        self.event_id.or(self.origin.cause())
    }
}

/// Determines how a command is made to count once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// An event: the inbox records it under this id.
    Event(EventId),
    /// A parked event that is retried: it is settled once.
    Parked(EventId),
    /// The end of an attempt, which happens once: an answer, or giving up, which requires that its claim still holds. The
    /// cause is the event that asked for the call.
    Attempt {
        /// Id of the attempt.
        id: Uuid,
        /// The event that asked for the call.
        cause: Option<EventId>,
        /// If the attempt is given up: the claim that must still hold.
        given_up: Option<Claim>,
    },
    /// A person or a deadline: the state alone decides.
    Direct,
}

impl Origin {
    /// Id of the event or the attempt; the nil id for direct commands.
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

/// Outcome of one command of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Already processed: nothing was decided.
    Duplicate,
    /// An earlier event of the same saga is parked; this one has to wait behind it.
    Held,
    /// Decided, with this result.
    Decided(Says),
}
