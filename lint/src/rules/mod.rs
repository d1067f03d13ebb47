//! Faults that the graph shows without running it.

mod calls;
mod cycles;
mod deadlines;
mod events;
mod meanings;

use crate::{
    Finding,
    graph::{EventId, Graph},
};

/// A fault in the graph.
pub(crate) struct Fault {
    pub(crate) finding: Finding,
    /// Events with which a run would only find the same again, in other words.
    pub(crate) events: Vec<EventId>,
}

impl From<Finding> for Fault {
    fn from(finding: Finding) -> Self {
        Fault { finding, events: Vec::new() }
    }
}

pub(crate) fn faults(graph: &Graph<'_>) -> Vec<Fault> {
    let mut all = Vec::new();
    all.extend(events::unheard(graph));
    all.extend(events::unsaid(graph));
    all.extend(events::two_publishers(graph));
    all.extend(events::old_readers(graph));
    all.extend(calls::unanswered(graph));
    all.extend(meanings::two(graph));
    // Of tables that say nothing of ends, nobody knows what leads to one.
    if graph.knows_ends() {
        all.extend(cycles::endless(graph));
        all.extend(deadlines::missing(graph));
    }
    all
}

/// Names in a sentence.
fn some(names: &[&str]) -> String {
    let mut names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.dedup();
    match names.split_last() {
        None => "nobody".to_owned(),
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
    }
}
