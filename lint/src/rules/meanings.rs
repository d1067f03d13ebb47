//! Events that mean one thing in one line of a service, and another in another.

use saga::table::Phase;

use super::Fault;
use crate::{
    Code, Finding,
    graph::{EventId, Graph, Line, LineId},
};

/// Events that one line of a service marks and another does not, or that tell of a step's taking in one line and of its undoing
/// in another. Whoever consumes such an event cannot know what it means.
pub(super) fn two(graph: &Graph<'_>) -> Vec<Fault> {
    let all = (0..graph.events.len()).filter_map(|event| {
        let speakers: Vec<LineId> =
            (0..graph.lines.len()).filter(|line| graph.lines[*line].says.contains(&event)).collect();
        let pairs = speakers
            .iter()
            .enumerate()
            .flat_map(|(place, one)| speakers[place + 1..].iter().map(move |other| (*one, *other)));
        pairs.into_iter().find_map(|pair| finding(graph, event, pair))
    });
    all.map(Fault::from).collect()
}

fn finding(graph: &Graph<'_>, event: EventId, (one, other): (LineId, LineId)) -> Option<Finding> {
    let (name, service) = (graph.name(event), graph.lines[one].service);
    let why = difference(name, &graph.lines[one], &graph.lines[other])?;
    Some(Finding {
        code: Code::TwoMeanings,
        message: format!("`{name}` of `{service}` {why}"),
        path: vec![graph.hop(one, Some(event)), graph.hop(other, Some(event))],
        mend: format!("mark `{name}` alike wherever `{service}` says it, or say another event in one of the two lines"),
    })
}

/// Difference of meaning between two lines that say an event. An end tells the same however it was come to.
fn difference(event: &str, one: &Line<'_>, other: &Line<'_>) -> Option<String> {
    let decisions = [one, other].map(|line| &line.reaction.decision);
    for ((mark, ones), (_, others)) in one.reaction.marks().into_iter().zip(other.reaction.marks()) {
        let is_marked = [ones, others].map(|marked| marked.iter().any(|other| other == event));
        match is_marked {
            [true, true] if ["completes", "aborts"].contains(&mark) => return None,
            [true, true] | [false, false] => {}
            [is_first, _] => {
                let [with, without] = if is_first { decisions } else { [decisions[1], decisions[0]] };
                return Some(format!("is marked `{mark}` where `{with}` says it, and not where `{without}` does"));
            }
        }
    }
    let ((step, phase), (same, others)) = (one.does?, other.does?);
    let effects = [effect(phase), effect(others)];
    (step == same && effects[0] != effects[1]).then(|| {
        format!(
            "tells that the step is {} where `{}` says it, and that it is {} where `{}` does",
            effects[0], decisions[0], effects[1], decisions[1]
        )
    })
}

fn effect(phase: Phase) -> &'static str {
    match phase {
        Phase::Try | Phase::Do => "taken",
        Phase::Confirm => "confirmed",
        Phase::Cancel | Phase::Withdraw => "undone",
    }
}
