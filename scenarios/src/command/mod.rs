//! What the runner can be asked for, one module for each subcommand.

mod bench;
mod chaos;
mod dlt;
mod exec;
mod graph;
mod list;
mod load;
mod parked;
mod programs;
mod publish;
mod ready;
mod reconcile;
mod run;
mod seed;
mod trace;
mod up;
mod verify;

use std::process::ExitCode;

use clap::Subcommand;

/// A subcommand with its arguments.
#[derive(Debug, Subcommand)]
pub enum Command {
    List(list::List),
    Run(run::Run),
    Up(up::Up),
    Seed(seed::Seed),
    Publish(publish::Publish),
    Trace(trace::Trace),
    Graph(graph::Graph),
    Load(load::Load),
    Bench(bench::Bench),
    Verify(verify::Verify),
    Chaos(chaos::ChaosCommand),
    Parked(parked::Parked),
    Dlt(dlt::Dlt),
    Reconcile(reconcile::Reconcile),
    Ready(ready::Ready),
    Exec(exec::Exec),
}

impl Command {
    /// Does it. What it has started is stopped when this returns.
    ///
    /// # Errors
    /// What the user has to know; a verdict that is not the hoped-for one is an exit code instead.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::List(list) => Ok(list.run()),
            Self::Run(run) => run.run().await,
            Self::Up(up) => up.run().await,
            Self::Seed(seed) => seed.run().await,
            Self::Publish(publish) => publish.run().await,
            Self::Trace(trace) => trace.run().await,
            Self::Graph(graph) => graph.run().await,
            Self::Load(load) => load.run().await,
            Self::Bench(bench) => bench.run().await,
            Self::Verify(verify) => verify.run().await,
            Self::Chaos(chaos) => chaos.run().await,
            Self::Parked(parked) => parked.run().await,
            Self::Dlt(dlt) => dlt.run().await,
            Self::Reconcile(reconcile) => reconcile.run().await,
            Self::Ready(ready) => ready.run().await,
            Self::Exec(exec) => exec.run().await,
        }
    }
}
