//! `scenarios exec`: runs a command beside a real Postgres and a real broker.

use std::{
    ffi::OsString,
    io::IsTerminal,
    process::{ExitCode, ExitStatus},
    time::Duration,
};

use anyhow::Context;
use clap::Args;
use nix::{
    sys::signal::{Signal, kill, killpg},
    unistd::Pid,
};
use saga::shutdown::Shutdown;
use secrecy::ExposeSecret;
use testbed::{Broker, Foundation, PARTITIONS, POSTGRES_BIN, Reporter, StateDir};
use tokio::process::Child;

/// Runs a command, such as the tests, beside a private Postgres and a broker. For developers.
///
/// Sets these variables for the command: TEST_DATABASE_URL (a superuser's), TEST_KAFKA_BROKERS, with Kafka TEST_KAFKA_JARS
/// (for its console tools), and POSTGRES_BIN, so that the command can start servers of the same version. Stops both servers
/// when the command ends, and returns its exit code.
#[derive(Debug, Args)]
pub struct Exec {
    /// Broker to start.
    #[arg(long, value_enum, default_value_t = Broker::Kafka)]
    broker: Broker,
    /// Major version of Postgres, 17 or 18, fetched if it is missing. Defaults to the installed version.
    #[arg(long, value_name = "MAJOR")]
    postgres: Option<u32>,
    /// The command and its arguments.
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<OsString>,
}

impl Exec {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let shutdown = Shutdown::on_signals()?;
        let reporter = Reporter::on_stderr();
        let state = StateDir::create()?;
        let foundation = tokio::select! {
            started = Foundation::start_on(self.postgres, self.broker, PARTITIONS, &state, &reporter) => started?,
            () = shutdown.requested() => return Ok(ExitCode::FAILURE),
        };
        reporter.note(format!("tests run against {}", foundation.versions()));
        let status = self.execute(&foundation, &shutdown).await;
        let step = reporter.step("stopping the servers");
        foundation.stop().await?;
        step.done("the servers are stopped");
        Ok(exit_code(status?))
    }

    async fn execute(&self, foundation: &Foundation, shutdown: &Shutdown) -> anyhow::Result<ExitStatus> {
        let (program, arguments) = self.command.split_first().context("no command to run")?;
        let mut command = testbed::command(program, Signal::SIGTERM);
        command.args(arguments).kill_on_drop(true);
        command.env("TEST_DATABASE_URL", foundation.postgres.admin_url().expose_secret());
        command.env(POSTGRES_BIN, foundation.postgres.programs());
        command.env("TEST_KAFKA_BROKERS", foundation.broker.brokers());
        if let Some(jars) = foundation.broker.jars() {
            command.env("TEST_KAFKA_JARS", jars);
        }
        // In a terminal the command shares our process group, so that it can read, and Ctrl-C reaches all its children. Elsewhere
        // it gets a group of its own, so that we can signal all of it.
        let in_terminal = std::io::stdin().is_terminal();
        if !in_terminal {
            command.process_group(0);
        }
        let mut child = command.spawn().with_context(|| format!("running {}", program.display()))?;
        tokio::select! {
            status = child.wait() => return Ok(status?),
            () = shutdown.requested() => {}
        }
        for signal in [Signal::SIGTERM, Signal::SIGKILL] {
            send(&child, signal, !in_terminal);
            if let Ok(status) = tokio::time::timeout(Duration::from_secs(10), child.wait()).await {
                return Ok(status?);
            }
        }
        anyhow::bail!("{} does not stop", program.display())
    }
}

fn send(child: &Child, signal: Signal, to_group: bool) {
    if let Some(pid) = child.id().and_then(|pid| i32::try_from(pid).ok()).map(Pid::from_raw) {
        // The process is already gone, as intended.
        let _ = if to_group { killpg(pid, signal) } else { kill(pid, signal) };
    }
}

/// The shell's convention: 128 plus the signal, if a signal ended it.
fn exit_code(status: ExitStatus) -> ExitCode {
    use std::os::unix::process::ExitStatusExt;
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from)
}
