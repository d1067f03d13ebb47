//! What the runner can be asked for, one module for each subcommand.

mod exec;
mod up;

use std::process::ExitCode;

use clap::Subcommand;

/// A subcommand with its arguments.
#[derive(Debug, Subcommand)]
pub enum Command {
    Up(up::Up),
    Exec(exec::Exec),
}

impl Command {
    /// Does it. What it has started is stopped when this returns.
    ///
    /// # Errors
    /// What the user has to know; a verdict that is not the hoped-for one is an exit code instead.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Up(up) => up.run().await,
            Self::Exec(exec) => exec.run().await,
        }
    }
}
