//! Where sagas begin, and what may interrupt them.

use std::collections::BTreeSet;

use crate::graph::{Graph, LineId, StepId};

/// Lines with which a saga begins: something from outside that leads to a step, unless another leads to all the same steps
/// and more; then it is something that happens within a saga, such as a cancellation. Where no line qualifies, every
/// request begins one; where there is none either, every deadline.
pub(crate) fn beginnings(graph: &Graph<'_>) -> Vec<LineId> {
    let outside = |deadlines: bool| -> Vec<LineId> {
        let of_kind =
            |line: &LineId| graph.is_from_outside(&graph.lines[*line]) && graph.lines[*line].is_deadline() == deadlines;
        (0..graph.lines.len()).filter(of_kind).collect()
    };
    let takes = |line: LineId| -> BTreeSet<StepId> {
        let reached = graph.reached(line, |_| true);
        let lines = graph.lines.iter().zip(reached).filter(|(line, reached)| *reached && line.takes());
        lines.filter_map(|(line, _)| line.does.map(|(step, _)| step)).collect()
    };
    let requests = outside(false);
    let taken: Vec<(LineId, BTreeSet<StepId>)> = requests.iter().map(|line| (*line, takes(*line))).collect();
    let is_part =
        |steps: &BTreeSet<StepId>| taken.iter().any(|(_, more)| more.len() > steps.len() && more.is_superset(steps));
    let begin: Vec<LineId> =
        taken.iter().filter(|(_, steps)| !steps.is_empty() && !is_part(steps)).map(|(line, _)| *line).collect();
    match (begin.is_empty(), requests.is_empty()) {
        (false, _) => begin,
        (true, false) => requests,
        (true, true) => outside(true),
    }
}

/// What no run changes.
pub(super) struct Rules {
    /// Deadlines, cancellations and whatever else may come at any moment, once.
    pub(super) interrupts: Vec<LineId>,
    /// Those among them with which a saga may still complete: it waits for a person, or for the time to come.
    pub(super) waited_for: Vec<LineId>,
}

impl Rules {
    /// `begin` are all beginnings.
    pub(super) fn of(graph: &Graph<'_>, begin: &[LineId]) -> Self {
        let interrupts = interrupts(graph, begin);
        let completes = |line: &&LineId| {
            let reached = graph.reached(**line, |_| true);
            let mut lines = graph.lines.iter().zip(reached).filter(|(_, reached)| *reached);
            lines.any(|(line, _)| line.says.iter().any(|said| graph.completes(*said)))
        };
        let waited_for = interrupts.iter().filter(completes).copied().collect();
        Rules { interrupts, waited_for }
    }
}

/// Lines that may interrupt a saga: everything from outside with which none begins.
fn interrupts(graph: &Graph<'_>, begin: &[LineId]) -> Vec<LineId> {
    let begins = |line: LineId| begin.iter().any(|other| is_the_same(graph, line, *other));
    let is_other = |line: &LineId| graph.is_from_outside(&graph.lines[*line]) && !begins(*line);
    (0..graph.lines.len()).filter(is_other).collect()
}

/// Two doors for the same decision, such as a topic and a route.
pub(super) fn is_the_same(graph: &Graph<'_>, one: LineId, other: LineId) -> bool {
    let [one, other] = [one, other].map(|line| &graph.lines[line]);
    let same = saga::choreography::Reaction { on: one.reaction.on.clone(), ..other.reaction.clone() };
    one.part == other.part && *one.reaction == same
}
