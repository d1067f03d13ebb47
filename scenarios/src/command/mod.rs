//! The runner's subcommands, one module each.

mod bench;
mod chaos;
mod exec;
mod list;
mod load;
mod publish;
mod ready;
mod run;
mod seed;
mod system;
mod up;

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
    Load(load::Load),
    Bench(bench::Bench),
    Chaos(chaos::ChaosCommand),
    Ready(ready::Ready),
    Exec(exec::Exec),
    #[command(flatten)]
    Operations(operations::command::Command),
}

impl Command {
    /// Runs the command. Everything that it started is stopped when this returns.
    ///
    /// # Errors
    /// If the command cannot be carried out. A negative verdict is an exit code instead.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::List(list) => Ok(list.run()),
            Self::Run(run) => run.run().await,
            Self::Up(up) => up.run().await,
            Self::Seed(seed) => seed.run().await,
            Self::Publish(publish) => publish.run().await,
            Self::Load(load) => load.run().await,
            Self::Bench(bench) => bench.run().await,
            Self::Chaos(chaos) => chaos.run().await,
            Self::Ready(ready) => ready.run().await,
            Self::Exec(exec) => exec.run().await,
            Self::Operations(command) => command.run().await,
        }
    }
}
