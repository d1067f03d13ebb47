//! What happens in a run: to the saga, and to one of its steps.

use saga::barrier::Status;

use crate::{
    Hop,
    graph::{EventId, Graph, LineId, StepId},
};

/// The event that led to another; `None` for an occasion.
pub(super) type Cause = Option<EventId>;

/// What has become of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Progress {
    pub(super) status: Status,
    pub(super) taken: Option<Turn>,
    pub(super) undone: Option<Turn>,
}

/// When something happened to a step: on what, and what was said then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Turn {
    pub(super) on: Cause,
    pub(super) said: Option<EventId>,
}

/// What happened between two states.
#[derive(Debug, Clone)]
pub(super) struct Taken {
    pub(super) line: LineId,
    pub(super) said: Option<EventId>,
    pub(super) change: Option<(StepId, Change)>,
}

/// Change of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Taken,
    Refused,
    Confirmed,
    Undone,
    /// Undone before it was taken: nothing but a note that it must not be taken any more.
    Forbidden,
}

impl Taken {
    pub(super) fn shown(&self, graph: &Graph<'_>) -> Hop {
        graph.hop(self.line, self.said)
    }
}
