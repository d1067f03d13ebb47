//! Extent of the explorations: an exploration of nothing proves nothing.

use std::{io::Write, time::Instant};

use crate::model::Explored;

pub(crate) struct Report {
    what: String,
    begun: Instant,
    cases: usize,
    worlds: usize,
    steps: usize,
}

impl Report {
    pub(crate) fn of(what: &str) -> Self {
        Report { what: what.to_owned(), begun: Instant::now(), cases: 0, worlds: 0, steps: 0 }
    }

    /// Counts one exploration.
    ///
    /// # Panics
    /// If it found a broken law; prints the shortest run.
    pub(crate) fn add(&mut self, case: &str, explored: &Explored) {
        if let Some(broken) = &explored.broken {
            panic!("{case}: {broken}");
        }
        let endings: Vec<String> = explored.endings.iter().map(ToString::to_string).collect();
        eprintln!("{case}: {} worlds, {} steps; {}", explored.worlds, explored.steps, endings.join("; "));
        self.cases += 1;
        self.worlds += explored.worlds;
        self.steps += explored.steps;
    }

    pub(crate) fn print(&self) {
        let Report { what, begun, cases, worlds, steps } = self;
        let seconds = begun.elapsed().as_secs_f64();
        announce(&format!(
            "every interleaving of {what}: {cases} cases, {worlds} worlds, {steps} steps in {seconds:.1} s"
        ));
    }
}

/// Prints a line even if a test's output is captured.
pub(crate) fn announce(line: &str) {
    writeln!(std::io::stderr(), "{line}").expect("stderr takes a line");
}
