//! A saga in the middle of a run, and what may happen next.

use std::collections::BTreeSet;

use saga::{
    barrier::{Move, Status, Step, pass},
    choreography::{Kind, On},
    table::Phase,
};

use crate::{
    Hop,
    graph::{EventId, Graph, LineId, StepId},
};

/// What no run changes.
pub(super) struct Rules {
    /// Deadlines, cancellations and whatever else may come at any moment, once.
    interrupts: Vec<LineId>,
}

impl Rules {
    pub(super) fn of(graph: &Graph<'_>) -> Self {
        let interrupts = (0..graph.lines.len())
            .filter(|line| graph.is_from_outside(&graph.lines[*line]) && !graph.begins_a_saga(*line))
            .collect();
        Rules { interrupts }
    }
}

/// State of one saga.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct State {
    /// Deliveries that are due.
    due: BTreeSet<(LineId, EventId)>,
    /// The line that begins the saga, until it has.
    start: Option<LineId>,
    /// Interrupts that have not come.
    interrupts: Vec<LineId>,
    /// Lines that have decided, and wait until everything under way has come in.
    joining: BTreeSet<LineId>,
    /// Events said so far, each with the event that led to it.
    said: Vec<Option<Cause>>,
    pub(super) steps: Vec<Option<Progress>>,
    pub(super) ended: BTreeSet<EventId>,
    /// True once the point of no return is passed.
    pub(super) no_return: bool,
}

/// The event that led to another; `None` for an occasion.
type Cause = Option<EventId>;

/// What has become of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Progress {
    pub(super) status: Status,
    /// The event on which it was taken.
    pub(super) taken_on: Cause,
    /// The event on which it was undone.
    pub(super) undone_on: Cause,
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

impl State {
    pub(super) fn new(graph: &Graph<'_>, rules: &Rules, start: LineId) -> Self {
        State {
            due: BTreeSet::new(),
            start: Some(start),
            interrupts: rules.interrupts.clone(),
            joining: BTreeSet::new(),
            said: vec![None; graph.events.len()],
            steps: vec![None; graph.steps.len()],
            ended: BTreeSet::new(),
            no_return: false,
        }
    }

    /// Nothing is under way. An interrupt may still come, but need not.
    pub(super) fn is_at_rest(&self) -> bool {
        self.start.is_none() && self.due.is_empty() && (self.joining.is_empty() || !self.ended.is_empty())
    }

    /// Everything that may happen next.
    pub(super) fn successors(&self, graph: &Graph<'_>) -> Vec<(Taken, State)> {
        if let Some(start) = self.start {
            let begun = State { start: None, ..self.clone() };
            return begun.decided(graph, start, None);
        }
        let mut all = Vec::new();
        for (line, event) in &self.due {
            let mut rest = self.clone();
            rest.due.remove(&(*line, *event));
            all.extend(rest.decided(graph, *line, Some(*event)));
        }
        if self.ended.is_empty() {
            for interrupt in &self.interrupts {
                let mut rest = self.clone();
                rest.interrupts.retain(|other| other != interrupt);
                all.extend(rest.decided(graph, *interrupt, None));
            }
            if self.due.is_empty() {
                all.extend(self.joined(graph));
            }
        }
        all
    }

    /// The states after a line's decision: one for each outcome. A decision that says and changes nothing has one as well.
    fn decided(&self, graph: &Graph<'_>, line: LineId, on: Cause) -> Vec<(Taken, State)> {
        let decides = &graph.lines[line];
        if decides.reaction.joins {
            let mut waits = self.clone();
            waits.joining.insert(line);
            return vec![(Taken { line, said: None, change: None }, waits)];
        }
        let Some((step, phase)) = decides.does else { return self.outcomes(graph, line, on, None, |_| None) };
        let status = self.steps[step].map(|progress| progress.status);
        let asked = match phase {
            Phase::Try | Phase::Do => Step::Try,
            Phase::Confirm => Step::Confirm,
            Phase::Cancel => Step::Cancel(()),
            Phase::Withdraw => Step::Withdraw(()),
        };
        let moved = pass(status, asked);
        let refuses = |said: Option<EventId>| {
            said.is_some_and(|said| decides.marks(graph.name(said), |reaction| &reaction.refuses))
        };
        let held = if phase == Phase::Do { Status::Confirmed } else { Status::Reserved };
        let change = |said: Option<EventId>| match moved {
            Move::Reserve if refuses(said) => Some((Status::Rejected, Change::Refused)),
            Move::Reserve => Some((held, Change::Taken)),
            Move::Confirm if refuses(said) => Some((Status::Reserved, Change::Refused)),
            Move::Confirm => Some((Status::Confirmed, Change::Confirmed)),
            Move::Release(()) => Some((Status::Cancelled, Change::Undone)),
            Move::GiveBack(()) => Some((Status::Refunded, Change::Undone)),
            Move::Forbid(()) => Some((Status::Cancelled, Change::Forbidden)),
            Move::Nothing(_) => None,
        };
        if matches!(moved, Move::Nothing(_)) {
            return vec![(Taken { line, said: None, change: None }, self.clone())];
        }
        self.outcomes(graph, line, on, Some(step), change)
    }

    fn outcomes(
        &self,
        graph: &Graph<'_>,
        line: LineId,
        on: Cause,
        step: Option<StepId>,
        change: impl Fn(Option<EventId>) -> Option<(Status, Change)>,
    ) -> Vec<(Taken, State)> {
        let says = &graph.lines[line].says;
        let outcomes: Vec<Option<EventId>> =
            if says.is_empty() { vec![None] } else { says.iter().map(|said| Some(*said)).collect() };
        let after = |said: Option<EventId>| {
            let mut after = self.clone();
            let change = step.zip(change(said)).map(|(step, (status, change))| {
                let before = after.steps[step];
                let taken_on = if change == Change::Taken { on } else { before.and_then(|step| step.taken_on) };
                let undone_on = if change == Change::Undone { on } else { None };
                after.steps[step] = Some(Progress { status, taken_on, undone_on });
                (step, change)
            });
            if let Some(said) = said {
                after.say(graph, line, said, on);
            }
            (Taken { line, said, change }, after)
        };
        outcomes.into_iter().map(after).collect()
    }

    /// What the lines that wait for all others say now. A refusal among them wins.
    fn joined(&self, graph: &Graph<'_>) -> Vec<(Taken, State)> {
        let aborts = |line: &LineId| !graph.lines[*line].reaction.aborts.is_empty();
        let any = self.joining.iter().any(aborts);
        let speaks = self.joining.iter().filter(|line| aborts(line) == any);
        let on = |line: LineId| graph.lines[line].hears;
        let says = speaks.flat_map(|line| graph.lines[*line].says.iter().map(|said| (*line, *said)));
        let after = |(line, said): (LineId, EventId)| {
            let mut after = self.clone();
            after.say(graph, line, said, on(line));
            (Taken { line, said: Some(said), change: None }, after)
        };
        says.map(after).collect()
    }

    fn say(&mut self, graph: &Graph<'_>, line: LineId, said: EventId, on: Cause) {
        let (name, speaks) = (graph.name(said), &graph.lines[line]);
        if speaks.marks(name, |reaction| &reaction.pivots) {
            self.no_return = true;
        }
        if graph.is_end(said) {
            self.ended.insert(said);
        }
        // Saying it again is a duplicate.
        if self.said[said].is_none() {
            self.said[said] = Some(on);
            self.due.extend(graph.hearers(said).map(|hearer| (hearer, said)));
        }
    }

    /// Returns whether `later` happened because of `earlier`, or is the same event.
    pub(super) fn follows(&self, later: Cause, earlier: EventId) -> bool {
        let mut at = later;
        let mut hops = 0;
        while let Some(event) = at {
            if event == earlier {
                return true;
            }
            // A saying that is its own ancestor cannot be: only the first saying counts.
            hops += 1;
            if hops > self.said.len() {
                return false;
            }
            at = self.said[event].flatten();
        }
        false
    }
}

impl Graph<'_> {
    /// True if the line is where sagas begin: something from outside that leads to a step. Where no line has a phase, all
    /// that comes from outside begins one, but for deadlines.
    pub(crate) fn begins_a_saga(&self, line: LineId) -> bool {
        let begins = &self.lines[line];
        let is_deadline = matches!(begins.reaction.on, On::Occasion { kind: Kind::Deadline, .. });
        if !self.is_from_outside(begins) || is_deadline {
            return false;
        }
        if self.steps.is_empty() {
            return true;
        }
        let takes = |line: &crate::graph::Line<'_>| matches!(line.does, Some((_, Phase::Try | Phase::Do)));
        let (mut reached, mut next) = (vec![false; self.events.len()], begins.says.clone());
        let mut found = takes(begins);
        while let Some(event) = next.pop() {
            if !std::mem::replace(&mut reached[event], true) {
                found |= self.hearers(event).any(|line| takes(&self.lines[line]));
                next.extend(self.follow(event).map(|(_, said)| said));
            }
        }
        found
    }
}
