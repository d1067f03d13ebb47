//! `scenarios graph`: who hears what of whom.

use std::process::ExitCode;

use clap::Args;

use super::programs::Programs;

/// Draws the choreography: who hears which events of whom.
#[derive(Debug, Args)]
pub struct Graph {
    /// Prints a table of every decision, in Markdown, instead of a picture in Mermaid.
    #[arg(long)]
    table: bool,
    #[command(flatten)]
    programs: Programs,
}

impl Graph {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let choreography = self.programs.choreography().await?;
        print!("{}", if self.table { choreography.markdown() } else { choreography.mermaid() });
        Ok(ExitCode::SUCCESS)
    }
}
