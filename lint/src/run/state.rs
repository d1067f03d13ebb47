//! A saga in the middle of a run, and what may happen next.

use std::collections::{BTreeMap, BTreeSet};

use saga::{
    barrier::{Move, Status, Step, pass},
    table::Phase,
};

use super::{
    beginning::Rules,
    step::{Cause, Change, Progress, Taken, Turn},
};
use crate::graph::{EventId, Graph, LineId, StepId};

/// State of one saga.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct State {
    /// Deliveries that are due, in order: a saga's events of one topic reach a service in the order in which they were said.
    /// The key is the service and the place of its topic; answers to calls have none.
    due: BTreeMap<(usize, Option<usize>), Vec<LineId>>,
    /// The line that begins the saga, until it has.
    start: Option<LineId>,
    /// Interrupts that have come.
    come: BTreeSet<LineId>,
    /// Services that have decided something.
    partook: Vec<bool>,
    /// Lines that have decided, and wait until everything under way has come in.
    joining: BTreeSet<LineId>,
    /// Events said so far, each with what led to it.
    said: Vec<Option<Cause>>,
    pub(super) steps: Vec<Option<Progress>>,
    pub(super) ended: BTreeSet<EventId>,
    /// True once the point of no return is passed.
    pub(super) no_return: bool,
}

impl State {
    pub(super) fn new(graph: &Graph<'_>, start: LineId) -> Self {
        State {
            due: BTreeMap::new(),
            start: Some(start),
            come: BTreeSet::new(),
            partook: vec![false; graph.parts.len()],
            joining: BTreeSet::new(),
            said: vec![None; graph.events.len()],
            steps: vec![None; graph.steps.len()],
            ended: BTreeSet::new(),
            no_return: false,
        }
    }

    /// Nothing is under way. Before its end, a saga that waits for a person is not at rest as long as a deadline watches over it.
    pub(super) fn is_at_rest(&self, graph: &Graph<'_>, rules: &Rules) -> bool {
        let may_come = |lines: &[LineId]| lines.iter().any(|line| self.may_come(graph, *line));
        let deadlines: Vec<LineId> =
            rules.interrupts.iter().filter(|line| graph.lines[**line].is_deadline()).copied().collect();
        let waits = self.ended.is_empty() && may_come(&rules.waited_for) && may_come(&deadlines);
        self.start.is_none() && self.due.is_empty() && self.joining.is_empty() && !waits
    }

    pub(super) fn has_said(&self, events: &[EventId]) -> bool {
        events.iter().any(|event| self.said[*event].is_some())
    }

    /// An interrupt comes once, to a service that knows the saga. After the end, a decision about no step does not end it
    /// again: its service knows.
    fn may_come(&self, graph: &Graph<'_>, interrupt: LineId) -> bool {
        let line = &graph.lines[interrupt];
        let ends = line.does.is_none() && line.says.iter().any(|said| graph.is_end(*said));
        self.partook[line.part] && !self.come.contains(&interrupt) && (self.ended.is_empty() || !ends)
    }

    /// Everything that may happen next.
    pub(super) fn successors(&self, graph: &Graph<'_>, rules: &Rules) -> Vec<(Taken, State)> {
        if let Some(start) = self.start {
            let begun = State { start: None, ..self.clone() };
            return begun.decided(graph, start);
        }
        let mut all = Vec::new();
        for (queue, lines) in &self.due {
            let mut rest = self.clone();
            match lines.as_slice() {
                [] | [_] => drop(rest.due.remove(queue)),
                [_, later @ ..] => drop(rest.due.insert(*queue, later.to_vec())),
            }
            all.extend(lines.first().into_iter().flat_map(|line| rest.decided(graph, *line)));
        }
        for interrupt in rules.interrupts.iter().filter(|line| self.may_come(graph, **line)) {
            let mut rest = self.clone();
            rest.come.insert(*interrupt);
            // One that changes nothing yet comes again.
            let counts = |(hop, after): &(Taken, State)| {
                hop.said.is_some() || hop.change.is_some() || (&after.due, &after.joining) != (&self.due, &self.joining)
            };
            all.extend(rest.decided(graph, *interrupt).into_iter().filter(counts));
        }
        if self.due.is_empty() && !self.joining.is_empty() {
            all.extend(self.joined(graph));
        }
        all
    }

    /// The states after a line's decision: one for each outcome. A decision that says and changes nothing has one as well.
    fn decided(&self, graph: &Graph<'_>, line: LineId) -> Vec<(Taken, State)> {
        let decides = &graph.lines[line];
        let mut now = self.clone();
        now.partook[decides.part] = true;
        if decides.reaction.joins {
            now.joining.insert(line);
            return vec![(Taken { line, said: None, change: None }, now)];
        }
        let Some((step, phase)) = decides.does else { return now.outcomes(graph, line, None, |_| None) };
        let status = now.steps[step].map(|progress| progress.status);
        let asked = match phase {
            Phase::Try | Phase::Do => Step::Try,
            Phase::Confirm => Step::Confirm,
            Phase::Cancel => Step::Cancel(()),
            Phase::Withdraw => Step::Withdraw(()),
        };
        let moved = pass(status, asked);
        let held = if phase == Phase::Do { Status::Confirmed } else { Status::Reserved };
        let change = |refused: bool| match (moved, refused) {
            (Move::Reserve, true) => Some((Status::Rejected, Change::Refused)),
            (Move::Reserve, false) => Some((held, Change::Taken)),
            (Move::Confirm, true) => Some((Status::Reserved, Change::Refused)),
            (Move::Confirm, false) => Some((Status::Confirmed, Change::Confirmed)),
            (Move::Release(()), false) => Some((Status::Cancelled, Change::Undone)),
            (Move::GiveBack(()), false) => Some((Status::Refunded, Change::Undone)),
            (Move::Forbid(()), false) => Some((Status::Cancelled, Change::Forbidden)),
            // What could not be undone stays as it is.
            (Move::Release(()) | Move::GiveBack(()) | Move::Forbid(()), true) | (Move::Nothing(_), _) => None,
        };
        if matches!(moved, Move::Nothing(_)) {
            return vec![(Taken { line, said: None, change: None }, now)];
        }
        now.outcomes(graph, line, Some(step), change)
    }

    /// One state for each event that the line may say; one without, if it says none or only refusals.
    fn outcomes(
        &self,
        graph: &Graph<'_>,
        line: LineId,
        step: Option<StepId>,
        change: impl Fn(bool) -> Option<(Status, Change)>,
    ) -> Vec<(Taken, State)> {
        let (decides, on) = (&graph.lines[line], graph.lines[line].hears);
        let refuses = |said: EventId| decides.refuses(graph.name(said));
        // A decision that says nothing itself leads to what its calls lead to; its step is what their answers make of it.
        if decides.says.is_empty() && !decides.reaction.asks.is_empty() {
            let (change, taken) = (change(false), Turn { on, said: None });
            return self.called(graph, line, step.zip(change), taken);
        }
        let mut outcomes: Vec<Option<EventId>> = decides.says.iter().map(|said| Some(*said)).collect();
        if decides.says.iter().all(|said| refuses(*said)) {
            outcomes.push(None);
        }
        let after = |said: Option<EventId>| {
            let mut after = self.clone();
            let change = step.zip(change(said.is_some_and(refuses))).map(|(step, (status, change))| {
                after.change(step, status, change, Turn { on, said });
                (step, change)
            });
            if let Some(said) = said {
                after.say(graph, line, said);
            }
            (Taken { line, said, change }, after)
        };
        outcomes.into_iter().map(after).collect()
    }

    /// The state after a decision that asks for its calls: each of their answers is due. Where an answer is about the same step
    /// in the same phase, the step waits for it.
    fn called(
        &self,
        graph: &Graph<'_>,
        line: LineId,
        change: Option<(StepId, (Status, Change))>,
        turn: Turn,
    ) -> Vec<(Taken, State)> {
        let mut after = self.clone();
        let answers: Vec<LineId> = graph.answers(line).collect();
        let decides_later = answers.iter().any(|answer| graph.lines[*answer].does == graph.lines[line].does);
        let change = change.filter(|_| !decides_later);
        if let Some((step, (status, change))) = change {
            after.change(step, status, change, turn);
        }
        if !answers.is_empty() {
            after.due.entry((graph.lines[line].part, None)).or_default().extend(answers);
        }
        vec![(Taken { line, said: None, change: change.map(|(step, (_, change))| (step, change)) }, after)]
    }

    fn change(&mut self, step: StepId, status: Status, change: Change, turn: Turn) {
        let before = self.steps[step].and_then(|step| step.taken);
        let taken = if change == Change::Taken { Some(turn) } else { before };
        let undone = (change == Change::Undone).then_some(turn);
        self.steps[step] = Some(Progress { status, taken, undone });
    }

    /// What the lines that wait for all others say now. A refusal among them wins, and after the end none ends it again.
    fn joined(&self, graph: &Graph<'_>) -> Vec<(Taken, State)> {
        let aborts = |line: &LineId| !graph.lines[*line].reaction.aborts.is_empty();
        let any = self.joining.iter().any(aborts);
        let speaks = self.joining.iter().filter(|line| aborts(line) == any);
        let spoken = State { joining: BTreeSet::new(), ..self.clone() };
        let says = speaks.flat_map(|line| graph.lines[*line].says.iter().map(|said| (*line, *said)));
        let says: Vec<(LineId, EventId)> =
            says.filter(|(_, said)| self.ended.is_empty() || !graph.is_end(*said)).collect();
        let after = |(line, said): (LineId, EventId)| {
            let mut after = spoken.clone();
            after.say(graph, line, said);
            (Taken { line, said: Some(said), change: None }, after)
        };
        match (says.is_empty(), self.joining.first()) {
            (true, Some(line)) => vec![(Taken { line: *line, said: None, change: None }, spoken)],
            _ => says.into_iter().map(after).collect(),
        }
    }

    fn say(&mut self, graph: &Graph<'_>, line: LineId, said: EventId) {
        let (name, speaks) = (graph.name(said), &graph.lines[line]);
        if speaks.marks(name, |reaction| &reaction.pivots) {
            self.no_return = true;
        }
        if graph.is_end(said) {
            self.ended.insert(said);
        }
        // Saying it again is a duplicate.
        if self.said[said].is_some() {
            return;
        }
        self.said[said] = Some(speaks.hears);
        for hearer in graph.hearers(said) {
            let hears = &graph.lines[*hearer];
            // A line without a step, an event or a call changes nothing.
            let takes_part = hears.does.is_some()
                || hears.reaction.joins
                || !hears.says.is_empty()
                || !hears.reaction.asks.is_empty();
            if takes_part {
                self.due.entry((hears.part, Some(speaks.part))).or_default().push(*hearer);
            } else {
                self.partook[hears.part] = true;
            }
        }
    }

    /// Returns whether `later` happened because of `earlier`, or is the same event.
    pub(super) fn follows(&self, later: Cause, earlier: EventId) -> bool {
        let mut at = later;
        // Only the first saying of an event counts, so that none is its own ancestor; the bound holds all the same.
        for _ in 0..=self.said.len() {
            match at {
                Some(event) if event == earlier => return true,
                Some(event) => at = self.said[event].flatten(),
                None => return false,
            }
        }
        false
    }

    /// Returns whether something happened because the saga had ended.
    pub(super) fn follows_the_end(&self, what: Cause) -> bool {
        self.ended.iter().any(|end| self.follows(what, *end))
    }
}
