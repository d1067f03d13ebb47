//! What is wrong with a state or a step of a run.

use saga::barrier::Status;

use super::{
    state::State,
    step::{Change, Progress, Taken, Turn},
};
use crate::{
    Code,
    graph::{Graph, LineId, StepId},
};

/// A fault, and what it is about, so that it is reported once.
pub(super) struct Fault {
    pub(super) code: Code,
    pub(super) subject: usize,
    pub(super) message: String,
    pub(super) mend: String,
}

/// The fault of a search that was too large.
pub(super) fn unsearched(graph: &Graph<'_>, start: LineId) -> Fault {
    let service = graph.lines[start].service;
    Fault {
        code: Code::Unsearched,
        subject: start,
        message: format!("a saga that `{service}` begins has so many runs that not all were searched"),
        mend: "lint services apart that do not depend on each other, or let fewer decisions wait for nothing"
            .to_owned(),
    }
}

/// Faults that a hop of a run shows.
pub(super) fn of_hop(graph: &Graph<'_>, before: &State, taken: &Taken) -> Vec<Fault> {
    let Some((step, change)) = taken.change else { return Vec::new() };
    let line = &graph.lines[taken.line];
    // What begins after the end, such as an award, may be refused and undone: it is no part of the saga.
    let taken = before.steps[step].and_then(|progress| progress.taken);
    let is_of_the_saga = match (change, taken) {
        (Change::Undone, Some(taken)) => !before.follows_the_end(taken.on),
        _ => !before.follows_the_end(line.hears),
    };
    let is_late = before.no_return && is_of_the_saga;
    if !is_late || !matches!(change, Change::Refused | Change::Undone) {
        return Vec::new();
    }
    let what = if change == Change::Refused { "refused" } else { "undone" };
    let (service, decision) = (line.service, &line.reaction.decision);
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
    if !graph.knows_ends() {
        return Vec::new();
    }
    let completed = state.ended.iter().copied().find(|event| graph.completes(*event));
    let aborted = state.ended.iter().copied().find(|event| graph.aborts(*event));
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
        (Some(end), None) => open(graph, state, graph.name(end), true),
        (None, Some(end)) => {
            let mut all = open(graph, state, graph.name(end), false);
            all.extend(out_of_order(graph, state));
            all
        }
    }
}

/// Steps that the end leaves as they should not be. Those that follow the end, such as an award, are no part of the saga.
fn open(graph: &Graph<'_>, state: &State, end: &str, is_completed: bool) -> Vec<Fault> {
    let mut all = Vec::new();
    for (step, progress) in state.steps.iter().enumerate() {
        let Some(Progress { status, taken: Some(taken), undone }) = *progress else { continue };
        // What undoes a step because the saga has completed is no award, but a mistake.
        let is_undone_later = undone.is_some_and(|undone| !is_completed && state.follows_the_end(undone.on));
        if state.follows_the_end(taken.on) || is_undone_later {
            continue;
        }
        let word = match (status, is_completed) {
            (Status::Reserved, _) => "still held",
            (Status::Confirmed, false) => "still taken",
            (Status::Cancelled | Status::Refunded, true) => "undone",
            (Status::Confirmed, true) | (Status::Cancelled | Status::Refunded, false) | (Status::Rejected, _) => {
                continue;
            }
        };
        all.push(Fault {
            code: Code::StepLeftOpen,
            subject: 2 * step + usize::from(is_completed),
            message: format!("{} is {word} when the saga has ended with `{end}`", graph.step(step)),
            mend: mend(graph.steps[step].0, status, is_completed),
        });
    }
    all
}

fn mend(service: &str, status: Status, is_completed: bool) -> String {
    match (status, is_completed) {
        (Status::Reserved, true) => {
            format!("have `{service}` confirm it on some event of this path: a line with `confirms`")
        }
        (_, true) => format!(
            "have `{service}` undo it only if that comes in time (`withdraws`), or have the saga end with an event that is \
             marked `aborts`"
        ),
        (_, false) => format!("have `{service}` undo it on some event of this path: a line with `cancels`"),
    }
}

/// Steps undone because an earlier one had been: the order of compensations is not the reverse of the steps'.
fn out_of_order(graph: &Graph<'_>, state: &State) -> Vec<Fault> {
    let mut all = Vec::new();
    for (first, earlier) in state.steps.iter().enumerate() {
        for (second, later) in state.steps.iter().enumerate() {
            let (Some(earlier), Some(later)) = (earlier, later) else { continue };
            if first != second && is_out_of_order(state, earlier, later) {
                all.push(reversed(graph, first, second, state.steps.len()));
            }
        }
    }
    all
}

/// Returns whether `later` was taken because of `earlier`, and undone because of it.
fn is_out_of_order(state: &State, earlier: &Progress, later: &Progress) -> bool {
    let after = |later: Option<Turn>, earlier: Option<Turn>| {
        let said = earlier.and_then(|earlier| earlier.said);
        later.zip(said).is_some_and(|(later, said)| state.follows(later.on, said))
    };
    after(later.taken, earlier.taken) && after(later.undone, earlier.undone)
}

fn reversed(graph: &Graph<'_>, first: StepId, second: StepId, steps: usize) -> Fault {
    Fault {
        code: Code::UndoneOutOfOrder,
        subject: first * steps + second,
        message: format!("{} was taken after {}, and is undone after it", graph.step(second), graph.step(first)),
        mend: format!(
            "undo in reverse: have `{}` undo its step on what `{}` says when it has undone its own",
            graph.steps[first].0, graph.steps[second].0
        ),
    }
}
