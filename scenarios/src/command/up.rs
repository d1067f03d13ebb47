//! `scenarios up`: runs the whole system until it is stopped.

use operations::order_ids::ORDER_ID_KEY;
use std::{io::Write, path::PathBuf, process::ExitCode};

use clap::Args;
use saga::shutdown::Shutdown;
use testbed::{
    Broker, Environment, Options, PARTITIONS, POSTGRES_URL, Reporter, Stack,
    env_file::{self, EnvFile},
    seed,
};

use super::system::System;

/// Starts the whole system and stays up until SIGTERM or Ctrl-C.
///
/// Each service, the payment gateway and the relay is a process of its own and is restarted when it dies. When all are
/// ready, prints their addresses as NAME=value lines. Database URLs contain passwords. The superuser's URL and the key of
/// derived order ids are written to the file only.
#[derive(Debug, Args)]
pub struct Up {
    #[command(flatten)]
    system: System,
    /// Broker to start; embedded by default.
    #[arg(long, value_enum)]
    broker: Option<Broker>,
    /// Also write the lines to this file, and rewrite it whenever a program is restarted. The file exists only while the
    /// system is ready.
    #[arg(long, value_name = "F")]
    env_file: Option<PathBuf>,
    /// Number of partitions of each topic.
    #[arg(long, env = "KAFKA_PARTITIONS", hide_env_values = true, default_value_t = PARTITIONS, value_parser = clap::value_parser!(i32).range(1..=1000))]
    partitions: i32,
    /// Let the broker ask everybody for a name and allow only what the services' tables need. Needs --broker kafka. The lines
    /// then name an operator's credentials.
    #[arg(long)]
    guarded: bool,
}

impl Up {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        anyhow::ensure!(
            Environment::from_process()?.is_none(),
            "KAFKA_BROKERS and DATABASE_URL_… name a running system; unset them to start one"
        );
        let shutdown = Shutdown::on_signals()?;
        let reporter = Reporter::on_stderr();
        let file = self.env_file.as_deref().map(EnvFile::at).transpose()?;
        let options = self.system.options(self.broker, Broker::Embedded)?;
        let guarded = self.guarded || options.guarded;
        let options = Options { partitions: self.partitions, guarded, ..options };
        testbed::with(options, &reporter, &shutdown, async |stack| {
            seed::well_known(stack.environment()).await?;
            std::io::stdout().write_all(env_file::render(&printable(stack.variables())).as_bytes())?;
            stay(stack, file.as_ref(), &reporter).await
        })
        .await?;
        Ok(ExitCode::SUCCESS)
    }
}

/// The variables to print. A terminal may be visible to others, so the superuser's URL and the key of derived order ids are left
/// out; they are only in the file, which only its owner can read.
fn printable(variables: Vec<(String, String)>) -> Vec<(String, String)> {
    variables.into_iter().filter(|(name, _)| ![POSTGRES_URL, ORDER_ID_KEY].contains(&name.as_str())).collect()
}

/// Keeps the file up to date. Returns only when the system cannot continue.
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
