//! Runs of the tables: every order of deliveries, every outcome, every moment for a deadline or a cancellation.
//!
//! A breadth-first search over states, so that the first run to a finding is a shortest one.

mod state;
mod verdict;

use std::collections::{HashMap, HashSet, VecDeque};

use crate::{Code, Finding, Hop, graph::Graph};
use state::{Rules, State, Taken};

/// Number of states after which the search of one beginning stops. The shop's has some ten thousand.
const MOST_STATES: usize = 400_000;

/// What is wrong at the end of some run, from any beginning.
pub(crate) fn findings(graph: &Graph<'_>) -> Vec<Finding> {
    let rules = Rules::of(graph);
    let mut search = Search { graph, rules: &rules, found: HashSet::new(), findings: Vec::new() };
    let mut begun = HashSet::new();
    for start in (0..graph.lines.len()).filter(|line| graph.begins_a_saga(*line)) {
        // Two doors for the same decision, such as a topic and a route, lead to the same runs.
        let line = &graph.lines[start];
        if begun.insert((line.service, &line.says, line.does)) {
            search.from(start);
        }
    }
    search.findings
}

struct Search<'a> {
    graph: &'a Graph<'a>,
    rules: &'a Rules,
    /// Faults that have been found already: code and subject.
    found: HashSet<(Code, usize)>,
    findings: Vec<Finding>,
}

impl Search<'_> {
    fn from(&mut self, start: usize) {
        let mut seen: HashMap<State, usize> = HashMap::new();
        // How each state was reached: from which, and by what.
        let mut reached: Vec<(usize, Option<Taken>)> = vec![(0, None)];
        let first = State::new(self.graph, self.rules, start);
        seen.insert(first.clone(), 0);
        let mut next = VecDeque::from([(0, first)]);
        while let Some((number, state)) = next.pop_front() {
            for (hop, after) in state.successors(self.graph) {
                for fault in verdict::of_hop(self.graph, &state, &hop) {
                    self.note(fault, &reached, number, Some(&hop));
                }
                if seen.contains_key(&after) || seen.len() >= MOST_STATES {
                    continue;
                }
                reached.push((number, Some(hop)));
                seen.insert(after.clone(), reached.len() - 1);
                next.push_back((reached.len() - 1, after));
            }
            if state.is_at_rest() {
                for fault in verdict::at_rest(self.graph, &state) {
                    self.note(fault, &reached, number, None);
                }
            }
        }
    }

    fn note(&mut self, fault: verdict::Fault, reached: &[(usize, Option<Taken>)], last: usize, hop: Option<&Taken>) {
        let verdict::Fault { code, subject, message, mend } = fault;
        if !self.found.insert((code, subject)) {
            return;
        }
        let mut path: Vec<Hop> = hop.map(|hop| hop.shown(self.graph)).into_iter().collect();
        let mut at = last;
        while let (before, Some(taken)) = &reached[at] {
            path.push(taken.shown(self.graph));
            at = *before;
        }
        path.reverse();
        self.findings.push(Finding { code, message, path, mend });
    }
}
