//! Durable calls and their answers.

use saga::choreography::{Kind, On};

use super::Fault;
use crate::{
    Code, Finding,
    graph::{Graph, Line, LineId},
};

/// Calls that are asked for and whose answer has no line, answers to calls that nobody asks for, and answers that lead to
/// events which no decision that asks for the call announces.
pub(super) fn unanswered(graph: &Graph<'_>) -> Vec<Fault> {
    let mut all: Vec<Finding> = Vec::new();
    for (id, line) in graph.lines.iter().enumerate() {
        for call in &line.reaction.asks {
            if !of_the_service(graph, line).any(|other| other.answers(call)) {
                all.push(not_answered(graph, id, call));
            }
        }
        if let On::Occasion { occasion: call, kind: Kind::Answer } = &line.reaction.on {
            all.extend(not_asked(graph, id, call));
        }
    }
    all.into_iter().map(Fault::from).collect()
}

fn of_the_service<'a>(graph: &'a Graph<'_>, line: &Line<'_>) -> impl Iterator<Item = &'a Line<'a>> {
    let part = line.part;
    graph.lines.iter().filter(move |other| other.part == part)
}

fn not_answered(graph: &Graph<'_>, line: LineId, call: &str) -> Finding {
    let (service, decision) = (graph.lines[line].service, &graph.lines[line].reaction.decision);
    Finding {
        code: Code::UnansweredCall,
        message: format!(
            "`{decision}` of `{service}` asks for the call `{call}`, and no line says what follows its answer"
        ),
        path: vec![graph.hop(line, None)],
        mend: format!("add a line `when(answer(\"{call}\"), …)` to the table of `{service}`"),
    }
}

/// An answer to a call that no decision asks for, or that leads to more than those say which do.
fn not_asked(graph: &Graph<'_>, answer: LineId, call: &str) -> Option<Finding> {
    let line = &graph.lines[answer];
    let service = line.service;
    let askers: Vec<&Line<'_>> =
        of_the_service(graph, line).filter(|other| other.reaction.asks.iter().any(|asked| asked == call)).collect();
    if askers.is_empty() {
        return Some(Finding {
            code: Code::UnansweredCall,
            message: format!(
                "`{service}` has a line for the answer to `{call}`, and none of its decisions asks for it"
            ),
            path: vec![graph.hop(answer, None)],
            mend: format!("name the call in the decision that asks for it: `.asking(&[\"{call}\"])`"),
        });
    }
    // A decision that says nothing itself leaves everything to its answers.
    if askers.iter().any(|asker| asker.says.is_empty()) {
        return None;
    }
    let more = line.says.iter().find(|said| !askers.iter().any(|asker| asker.says.contains(said)))?;
    Some(Finding {
        code: Code::UnansweredCall,
        message: format!(
            "the answer to `{call}` may make `{service}` say `{}`, which no decision that asks for the call lists",
            graph.name(*more)
        ),
        path: vec![graph.hop(answer, Some(*more))],
        mend: format!(
            "list `{}` in the line that asks for `{call}`, too: a line lists what it leads to, by its calls as well",
            graph.name(*more)
        ),
    })
}
