//! Flows that wait for other services without a deadline.

use super::Fault;
use crate::{
    Code, Finding,
    graph::{Graph, LineId},
    run::beginnings,
};

/// Flows that a client begins and that need another service, in none of whose services a deadline leads to an end.
pub(super) fn missing(graph: &Graph<'_>) -> Vec<Fault> {
    let begin = beginnings(graph).into_iter().filter(|start| !graph.lines[*start].is_deadline());
    begin.filter(|start| waits_for_ever(graph, *start)).map(|start| finding(graph, start).into()).collect()
}

fn waits_for_ever(graph: &Graph<'_>, start: LineId) -> bool {
    // Whoever hears of the end only is not waited for.
    let reached = graph.reached(start, |event| !graph.is_end(event));
    let takes_part =
        |part: usize| graph.lines.iter().zip(&reached).any(|(line, reached)| *reached && line.part == part);
    let waits = (0..graph.parts.len()).any(|part| part != graph.lines[start].part && takes_part(part));
    let leads_to_an_end = |deadline: LineId| {
        let reached = graph.reached(deadline, |_| true);
        graph
            .lines
            .iter()
            .zip(reached)
            .any(|(line, reached)| reached && line.says.iter().any(|said| graph.is_end(*said)))
    };
    let is_bounded = (0..graph.lines.len())
        .any(|line| graph.lines[line].is_deadline() && takes_part(graph.lines[line].part) && leads_to_an_end(line));
    waits && !is_bounded
}

fn finding(graph: &Graph<'_>, start: LineId) -> Finding {
    let line = &graph.lines[start];
    let (service, decision) = (line.service, &line.reaction.decision);
    Finding {
        code: Code::NoDeadline,
        message: format!(
            "a saga that `{decision}` of `{service}` begins waits for other services, and none has a deadline for it"
        ),
        path: vec![graph.hop(start, line.says.first().copied())],
        mend: format!(
            "give a service, such as `{service}`, a deadline (`Table::when` with `deadline`) whose event leads to an end"
        ),
    }
}
