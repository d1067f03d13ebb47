//! `scenarios graph`: which service consumes which events.

use std::process::ExitCode;

use clap::Args;

use super::programs::Programs;

/// Draws the choreography: which service consumes which events of which other.
#[derive(Debug, Args)]
pub struct Graph {
    /// Print a table of every decision in Markdown instead of a diagram in Mermaid.
    #[arg(long, conflicts_with_all = ["dot", "svg"])]
    table: bool,
    /// Print the diagram in DOT, for Graphviz. What a service hears to undo its step is dashed.
    #[arg(long, conflicts_with = "svg")]
    dot: bool,
    /// Print a picture in SVG: a column for each service, and a line for each event, from its publisher to those that consume it.
    /// What a service consumes to undo its step is dashed.
    #[arg(long)]
    svg: bool,
    #[command(flatten)]
    programs: Programs,
}

impl Graph {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let choreography = self.programs.choreography().await?;
        print!(
            "{}",
            match (self.table, self.dot, self.svg) {
                (true, ..) => choreography.markdown(),
                (_, true, _) => choreography.dot(),
                (.., true) => choreography.svg(),
                _ => choreography.mermaid(),
            }
        );
        Ok(ExitCode::SUCCESS)
    }
}
