//! `scenarios list`: the scenarios, a line each.

use std::process::ExitCode;

use clap::Args;

use catalogue::ALL;

/// Names each scenario with one line.
#[derive(Debug, Args)]
pub struct List {}

impl List {
    pub(super) fn run(self) -> ExitCode {
        let widest = ALL.iter().map(|scenario| scenario.name.len()).max().unwrap_or_default();
        for scenario in ALL {
            println!("{:<widest$}  {}", scenario.name, scenario.story);
        }
        ExitCode::SUCCESS
    }
}
