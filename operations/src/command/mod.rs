//! What an operator can ask for, one module for each subcommand. All of them work on the system that the environment names.

mod dlt;
mod graph;
mod parked;
mod programs;
mod reconcile;
mod trace;
mod verify;

use std::process::ExitCode;

use anyhow::Context;
use clap::Subcommand;

use crate::Environment;

/// A subcommand with its arguments.
#[derive(Debug, Subcommand)]
pub enum Command {
    Trace(trace::Trace),
    Graph(graph::Graph),
    Verify(verify::Verify),
    Parked(parked::Parked),
    Dlt(dlt::Dlt),
    Reconcile(reconcile::Reconcile),
}

impl Command {
    /// Does it.
    ///
    /// # Errors
    /// What the user has to know; a verdict that is not the hoped-for one is an exit code instead.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Trace(trace) => trace.run().await,
            Self::Graph(graph) => graph.run().await,
            Self::Verify(verify) => verify.run().await,
            Self::Parked(parked) => parked.run().await,
            Self::Dlt(dlt) => dlt.run().await,
            Self::Reconcile(reconcile) => reconcile.run().await,
        }
    }
}

/// The running system that the environment names.
///
/// # Errors
/// If it names none, or only a part of one.
pub fn running() -> anyhow::Result<Environment> {
    Environment::from_process()?.context(
        "no running system is named: set KAFKA_BROKERS and DATABASE_URL_…, for example from the file that `scenarios up --env-file F` writes",
    )
}
