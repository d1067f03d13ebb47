//! The runner's subcommands, one module each.

mod bench;
mod certs;
mod chaos;
mod exec;
mod list;
mod load;
mod play;
mod publish;
mod ready;
mod run;
mod seed;
mod side_by_side;
mod simulate;
mod system;
mod token;
mod up;

use std::process::ExitCode;

use clap::Subcommand;
use futures::future::LocalBoxFuture;

/// A subcommand with its arguments.
#[derive(Debug, Subcommand)]
pub enum Command {
    List(list::List),
    Run(run::Run),
    Up(up::Up),
    Seed(seed::Seed),
    Publish(publish::Publish),
    Token(token::Token),
    Load(load::Load),
    Bench(bench::Bench),
    Chaos(chaos::ChaosCommand),
    Play(play::Play),
    Simulate(simulate::Simulate),
    Certs(certs::CertsCommand),
    Ready(ready::Ready),
    Exec(exec::Exec),
    #[command(flatten)]
    Operations(operations::command::Command),
}

impl Command {
    /// True for a command that causes errors on purpose.
    pub fn causes_errors(&self) -> bool {
        matches!(self, Command::Chaos(_) | Command::Play(_) | Command::Simulate(_))
    }

    /// Runs the command. Everything that it started is stopped when this returns.
    ///
    /// # Errors
    /// If the command cannot be carried out. A negative verdict is an exit code instead.
    pub fn run(self) -> LocalBoxFuture<'static, anyhow::Result<ExitCode>> {
        match self {
            Self::List(list) => Box::pin(async move { Ok(list.run()) }),
            Self::Run(run) => Box::pin(run.run()),
            Self::Up(up) => Box::pin(up.run()),
            Self::Seed(seed) => Box::pin(seed.run()),
            Self::Publish(publish) => Box::pin(publish.run()),
            Self::Token(token) => Box::pin(async move { token.run() }),
            Self::Load(load) => Box::pin(load.run()),
            Self::Bench(bench) => Box::pin(bench.run()),
            Self::Chaos(chaos) => Box::pin(chaos.run()),
            Self::Play(play) => Box::pin(play.run()),
            Self::Simulate(simulate) => Box::pin(simulate.run()),
            Self::Certs(certs) => Box::pin(async move { certs.run() }),
            Self::Ready(ready) => Box::pin(ready.run()),
            Self::Exec(exec) => Box::pin(exec.run()),
            Self::Operations(command) => command.run(),
        }
    }
}
