//! `scenarios up`: the whole system, for as long as somebody wants it.

use std::{io::Write, path::PathBuf, process::ExitCode};

use clap::Args;
use saga::shutdown::Shutdown;
use testbed::{
    Broker, Environment, Options, PARTITIONS, PAYMENT_DETAILS_KEY, POSTGRES_URL, Reporter, Stack,
    env_file::{self, EnvFile},
    seed,
};

use super::system::System;

/// Starts the whole system and stays up until SIGTERM or Ctrl-C.
///
/// Each service, the payment gateway and the relay is a process of its own and is started again when it dies. When all
/// are ready, prints where everything is, as NAME=value lines. Database URLs hold passwords; the key of the payment methods
/// and where PostgreSQL's superuser logs in are written into the file alone.
#[derive(Debug, Args)]
pub struct Up {
    #[command(flatten)]
    system: System,
    /// What carries the events.
    #[arg(long, value_enum, default_value_t = Broker::Embedded)]
    broker: Broker,
    /// Writes the lines into this file too, anew whenever a program has been started again. It is there only while the
    /// system is ready.
    #[arg(long, value_name = "F")]
    env_file: Option<PathBuf>,
    /// Partitions of each topic.
    #[arg(long, env = "KAFKA_PARTITIONS", default_value_t = PARTITIONS, value_parser = clap::value_parser!(i32).range(1..=1000))]
    partitions: i32,
}

impl Up {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        anyhow::ensure!(
            Environment::from_process()?.is_none(),
            "KAFKA_BROKERS and DATABASE_URL_… name a system that runs; unset them to have one started"
        );
        let shutdown = Shutdown::on_signals()?;
        let reporter = Reporter::on_stderr();
        let file = self.env_file.as_deref().map(EnvFile::at).transpose()?;
        let options = Options { partitions: self.partitions, ..self.system.options(self.broker)? };
        testbed::with(options, &reporter, &shutdown, async |stack| {
            seed::well_known(stack.environment()).await?;
            std::io::stdout().write_all(env_file::render(&printable(stack.variables())).as_bytes())?;
            stay(stack, file.as_ref(), &reporter).await
        })
        .await?;
        Ok(ExitCode::SUCCESS)
    }
}

/// What is printed: where everything is. A terminal is looked at; the key opens the details of every payment method and the
/// superuser every database, so these are in the file alone, which only its owner can read.
fn printable(variables: Vec<(String, String)>) -> Vec<(String, String)> {
    variables.into_iter().filter(|(name, _)| ![PAYMENT_DETAILS_KEY, POSTGRES_URL].contains(&name.as_str())).collect()
}

/// Keeps the file up to date. Returns only when the system can't go on.
async fn stay(stack: &mut Stack, file: Option<&EnvFile>, reporter: &Reporter) -> anyhow::Result<()> {
    let Some(mut pids) = stack.pids() else { return Ok(()) };
    pids.mark_unchanged();
    if let Some(file) = file {
        file.write(&stack.variables())?;
    }
    reporter.note("ready; stop with Ctrl-C");
    loop {
        tokio::select! {
            changed = pids.changed() => changed?,
            failure = stack.failed() => return Err(failure),
        }
        if let Some(file) = file {
            file.write(&stack.variables())?;
        }
    }
}
