//! Cycles that no path leaves towards an end.

use std::collections::VecDeque;

use super::{Fault, some};
use crate::{
    Code, Finding,
    graph::{EventId, Graph, LineId},
};

pub(super) fn endless(graph: &Graph<'_>) -> Vec<Fault> {
    let ends = graph.leading_to(|event| graph.is_end(event) || graph.informs(event));
    let mut all = Vec::new();
    for event in (0..graph.events.len()).filter(|event| !ends[*event]) {
        let Some(path) = cycle(graph, event) else { continue };
        // One finding for each cycle: from its first event.
        if path.iter().any(|(_, said)| *said < event) {
            continue;
        }
        let names: Vec<&str> = path.iter().map(|(_, said)| graph.name(*said)).collect();
        let finding = Finding {
            code: Code::EndlessCycle,
            message: format!(
                "`{}` leads back to itself by way of {}, and no event on the way leads to an end",
                graph.name(event),
                some(&names)
            ),
            path: path.iter().map(|(line, said)| graph.hop(*line, Some(*said))).collect(),
            mend: "have one of these decisions end the saga, or stop saying the event that closes the cycle".to_owned(),
        };
        all.push(Fault { finding, events: path.into_iter().map(|(_, said)| said).collect() });
    }
    all
}

/// The shortest way from an event back to itself: lines and what each says.
fn cycle(graph: &Graph<'_>, event: EventId) -> Option<Vec<(LineId, EventId)>> {
    let mut came_by: Vec<Option<(EventId, LineId)>> = vec![None; graph.events.len()];
    let mut next = VecDeque::from([event]);
    while let Some(at) = next.pop_front() {
        for (line, said) in graph.follow(at) {
            if came_by[said].is_none() {
                came_by[said] = Some((at, line));
                next.push_back(said);
            }
        }
        if came_by[event].is_some() {
            break;
        }
    }
    let mut path = Vec::new();
    let mut at = event;
    while let Some((before, line)) = came_by[at] {
        path.push((line, at));
        at = before;
        if at == event {
            path.reverse();
            return Some(path);
        }
    }
    None
}
