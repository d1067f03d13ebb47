//! `scenarios graph`: which service consumes which events.

use std::process::ExitCode;

use clap::Args;

use super::programs::Programs;

/// Draws the choreography: which service consumes which events of which other.
#[derive(Debug, Args)]
pub struct Graph {
    /// Print a table of every decision in Markdown instead of a diagram in Mermaid.
    #[arg(long, conflicts_with = "dot")]
    table: bool,
    /// Print the diagram in DOT, for Graphviz. What a service hears to undo its step is dashed.
    #[arg(long)]
    dot: bool,
    #[command(flatten)]
    programs: Programs,
}

impl Graph {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let choreography = self.programs.choreography().await?;
        print!(
            "{}",
            match (self.table, self.dot) {
                (true, _) => choreography.markdown(),
                (_, true) => choreography.dot(),
                _ => choreography.mermaid(),
            }
        );
        Ok(ExitCode::SUCCESS)
    }
}
