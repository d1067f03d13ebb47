//! `scenarios list`: one line per scenario.

use std::process::ExitCode;

use clap::Args;

use catalogue::ALL;

/// Lists the scenarios, one line each.
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
