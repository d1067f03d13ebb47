//! `scenarios verify`: the audit.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use clap::Args;
use saga::shutdown::Shutdown;

use crate::{
    Environment,
    audit::{self, Seal, Watch},
    command::running,
    report,
};

/// Audits the invariants across all databases, the gateway and Kafka. If one does not hold, lists it and exits with 1.
#[derive(Debug, Args)]
pub struct Verify {
    /// Maximum time to wait for the system to come to rest, in seconds.
    #[arg(long, default_value_t = 30)]
    wait: u64,
    /// Remember in this file what was verified, and examine only what has changed since. The first run, and any run after a
    /// database was restored or a topic recreated, examines everything.
    #[arg(long, value_name = "FILE")]
    seal: Option<PathBuf>,
    /// Audit a running system at this interval, in seconds, until stopped. Orders in flight are deferred; a finding is
    /// reported once, when it has been seen twice.
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "10")]
    watch: Option<u64>,
}

impl Verify {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let environment = running()?;
        let seal = self.seal.as_deref().map(Seal::load).transpose()?.flatten().map(Arc::new);
        if let Some(seconds) = self.watch {
            return watch(&environment, Duration::from_secs(seconds.max(1)), seal, self.seal.as_deref()).await;
        }
        let patience = Duration::from_secs(self.wait);
        let (audited, seal) = match &self.seal {
            None => (audit::run(&environment, patience).await?, None),
            Some(_) => audit::run_sealing(&environment, patience, seal).await?,
        };
        report::audit(&audited);
        seal.iter().zip(&self.seal).try_for_each(|(seal, file)| seal.save(file))?;
        Ok(if audited.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// Audits repeatedly until told to stop. Exit code 1 if anything was wrong.
async fn watch(
    environment: &Environment,
    pause: Duration,
    mut seal: Option<Arc<Seal>>,
    file: Option<&Path>,
) -> anyhow::Result<ExitCode> {
    let shutdown = Shutdown::on_signals()?;
    let mut watch = Watch::default();
    loop {
        tokio::select! {
            looked = audit::look(environment, seal.clone()) => match looked {
                Ok((looked, next)) => {
                    report::watched(&watch.news(looked));
                    if let Err(error) = next.iter().zip(file).try_for_each(|(seal, file)| seal.save(file)) {
                        tracing::warn!(error = format!("{error:#}"), "the seal could not be saved; trying again at the next look");
                    }
                    // The previous seal remains valid.
                    seal = next.map(Arc::new).or(seal);
                }
                // The system may be unavailable for a while.
                Err(error) => tracing::warn!(error = format!("{error:#}"), "the system could not be audited; trying again at the next look"),
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
