//! What is wrong with a state or a step of a run.

use saga::barrier::Status;

use super::state::{Change, Progress, State, Taken};
use crate::{Code, graph::Graph};

/// A fault, and what it is about, so that it is reported once.
pub(super) struct Fault {
    pub(super) code: Code,
    pub(super) subject: usize,
    pub(super) message: String,
    pub(super) mend: String,
}

/// Faults that a hop of a run shows.
pub(super) fn of_hop(graph: &Graph<'_>, before: &State, taken: &Taken) -> Vec<Fault> {
    let Some((step, change)) = taken.change else { return Vec::new() };
    if !before.no_return || !matches!(change, Change::Refused | Change::Undone) {
        return Vec::new();
    }
    let what = if change == Change::Refused { "refused" } else { "undone" };
    let (service, decision) = (graph.lines[taken.line].service, &graph.lines[taken.line].reaction.decision);
    vec![Fault {
        code: Code::UndoneAfterPivot,
        subject: step,
        message: format!("{} is {what} after the point of no return", graph.step(step)),
        mend: format!(
            "mark a later event as the pivot, or have `{decision}` of `{service}` follow nothing that comes after it"
        ),
    }]
}

/// Faults of a saga at rest.
pub(super) fn at_rest(graph: &Graph<'_>, state: &State) -> Vec<Fault> {
    let is_marked = |marks: fn(&saga::choreography::Reaction) -> &Vec<String>| {
        state.ended.iter().find(|event| graph.marked(**event, marks)).copied()
    };
    let completed = is_marked(|reaction| &reaction.completes);
    let aborted = is_marked(|reaction| &reaction.aborts);
    match (completed, aborted) {
        (None, None) => vec![Fault {
            code: Code::NoEnd,
            subject: 0,
            message: "a saga comes to rest and has not ended".to_owned(),
            mend: "have the last decision say an event that is marked `completes` or `aborts`, or handle what it says".to_owned(),
        }],
        (Some(completed), Some(aborted)) => vec![Fault {
            code: Code::TwoEnds,
            subject: 0,
            message: format!(
                "a saga both completes (`{}`) and is aborted (`{}`)",
                graph.name(completed),
                graph.name(aborted)
            ),
            mend: "have the decisions that end the saga wait for everything under way (`joins`), or decide on one end in one \
                   place"
                .to_owned(),
        }],
        (Some(end), None) => left(graph, state, graph.name(end), true),
        (None, Some(end)) => {
            let mut all = left(graph, state, graph.name(end), false);
            all.extend(out_of_order(graph, state));
            all
        }
    }
}

/// Steps that the end leaves open.
fn left(graph: &Graph<'_>, state: &State, end: &str, is_completed: bool) -> Vec<Fault> {
    let is_open = |progress: &Progress| match progress.status {
        Status::Reserved => true,
        Status::Confirmed => !is_completed,
        Status::Cancelled | Status::Refunded | Status::Rejected => false,
    };
    let open = state.steps.iter().enumerate().filter(|(_, progress)| progress.as_ref().is_some_and(is_open));
    open.map(|(step, progress)| {
        let is_held = progress.is_some_and(|progress| progress.status == Status::Reserved);
        let state = if is_held { "still held" } else { "still taken" };
        let (service, _) = graph.steps[step];
        let mend = if is_completed {
            format!("have `{service}` confirm it on some event of this path: a line with `confirms`")
        } else {
            format!("have `{service}` undo it on some event of this path: a line with `cancels`")
        };
        Fault {
            code: Code::StepLeftOpen,
            subject: 2 * step + usize::from(is_completed),
            message: format!("{} is {state} when the saga has ended with `{end}`", graph.step(step)),
            mend,
        }
    })
    .collect()
}

/// Steps undone because an earlier one had been: the order of compensations is not the reverse of the steps'.
fn out_of_order(graph: &Graph<'_>, state: &State) -> Vec<Fault> {
    let mut all = Vec::new();
    for (first, earlier) in state.steps.iter().enumerate() {
        for (second, later) in state.steps.iter().enumerate() {
            let (Some(earlier), Some(later)) = (earlier, later) else { continue };
            let (Some(taken), Some(undone)) = (later.taken_on, later.undone_on) else { continue };
            let after = |cause, on| state.follows(cause, on) && cause != Some(on);
            let was_later = earlier.taken_on.is_none_or(|on| after(Some(taken), on)) && first != second;
            let is_undone_later = earlier.undone_on.is_some_and(|on| after(Some(undone), on));
            if was_later && is_undone_later {
                all.push(Fault {
                    code: Code::UndoneOutOfOrder,
                    subject: first * state.steps.len() + second,
                    message: format!(
                        "{} was taken after {}, and is undone after it",
                        graph.step(second),
                        graph.step(first)
                    ),
                    mend: format!(
                        "undo in reverse: have `{}` undo its step on what `{}` says when it has undone its own",
                        graph.steps[first].0, graph.steps[second].0
                    ),
                });
            }
        }
    }
    all
}
