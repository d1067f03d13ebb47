//! Runs of the tables: every order of deliveries, every outcome, every moment for a deadline or a cancellation.
//!
//! A breadth-first search over states, so that the first run to a finding is a shortest one.

mod beginning;
mod state;
mod step;
mod verdict;

use std::{
    collections::{HashSet, VecDeque},
    rc::Rc,
};

pub(crate) use beginning::beginnings;

use crate::{
    Code, Finding, Hop,
    graph::{EventId, Graph, LineId},
};
use beginning::Rules;
use state::State;
use step::Taken;

/// Number of states after which the search of one beginning stops. The shop's has a few thousand.
const MOST_STATES: usize = 200_000;

/// What is wrong at the end of some run, from any beginning. That a saga has not ended is no news where one of `excused` was
/// said: that fault is known.
pub(crate) fn findings(graph: &Graph<'_>, excused: &[EventId]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut begun: Vec<LineId> = Vec::new();
    let begin = beginnings(graph);
    let rules = Rules::of(graph, &begin);
    for start in begin {
        if begun.iter().any(|other| beginning::is_the_same(graph, *other, start)) {
            continue;
        }
        begun.push(start);
        let mut search = Search { graph, rules: &rules, excused, found: HashSet::new(), findings: Vec::new() };
        search.from(start);
        findings.extend(search.findings);
    }
    findings
}

struct Search<'a> {
    graph: &'a Graph<'a>,
    rules: &'a Rules,
    excused: &'a [EventId],
    /// Faults that have been found already: code and subject.
    found: HashSet<(Code, usize)>,
    findings: Vec<Finding>,
}

impl Search<'_> {
    fn from(&mut self, start: LineId) {
        let mut seen: HashSet<Rc<State>> = HashSet::new();
        // How each state was reached: from which, and by what.
        let mut reached: Vec<(usize, Option<Taken>)> = vec![(0, None)];
        let first = Rc::new(State::new(self.graph, start));
        seen.insert(first.clone());
        let mut next = VecDeque::from([(0, first)]);
        while let Some((number, state)) = next.pop_front() {
            for (hop, after) in state.successors(self.graph, self.rules) {
                for fault in verdict::of_hop(self.graph, &state, &hop) {
                    self.note(fault, &reached, number, Some(&hop));
                }
                if seen.contains(&after) {
                    continue;
                }
                if seen.len() >= MOST_STATES {
                    self.note(verdict::unsearched(self.graph, start), &reached, number, Some(&hop));
                    return;
                }
                let after = Rc::new(after);
                reached.push((number, Some(hop)));
                seen.insert(after.clone());
                next.push_back((reached.len() - 1, after));
            }
            if state.is_at_rest(self.graph, self.rules) {
                let is_known = |fault: &verdict::Fault| fault.code == Code::NoEnd && state.has_said(self.excused);
                for fault in verdict::at_rest(self.graph, &state).into_iter().filter(|fault| !is_known(fault)) {
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
