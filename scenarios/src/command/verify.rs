//! `scenarios verify`: the audit.

use std::{process::ExitCode, time::Duration};

use clap::Args;
use kit::shutdown::Shutdown;

use crate::{
    audit::{self, Watch},
    command::seed::running,
    report,
};

/// Audits the invariants across all databases, the gateway and Kafka. Exit code 1, and a list, where they don't hold.
#[derive(Debug, Args)]
pub struct Verify {
    /// Seconds to wait for the system to come to rest.
    #[arg(long, default_value_t = 30)]
    wait: u64,
    /// Looks again every so many seconds, until it is stopped, at a system that does not rest. What is on its way is left for
    /// later; what is wrong is told once, when it has been wrong twice.
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "10")]
    watch: Option<u64>,
}

impl Verify {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        if let Some(seconds) = self.watch {
            return watch(Duration::from_secs(seconds.max(1))).await;
        }
        let audited = audit::run(&running()?, Duration::from_secs(self.wait)).await?;
        report::audit(&audited);
        Ok(if audited.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// Looks until it is asked to stop. Exit code 1 if anything was wrong.
async fn watch(pause: Duration) -> anyhow::Result<ExitCode> {
    let (environment, shutdown) = (running()?, Shutdown::on_signals()?);
    let mut watch = Watch::default();
    loop {
        tokio::select! {
            looked = audit::look(&environment) => match looked {
                Ok(looked) => report::watched(&watch.news(looked)),
                // It may be the system's turn to be away.
                Err(error) => tracing::warn!(error = format!("{error:#}"), "the system could not be looked at; trying again"),
            },
            () = shutdown.requested() => break,
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = shutdown.requested() => break,
        }
    }
    Ok(if watch.was_sound() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
