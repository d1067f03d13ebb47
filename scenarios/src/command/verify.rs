//! `scenarios verify`: the audit.

use std::{process::ExitCode, time::Duration};

use clap::Args;

use crate::{audit, command::seed::running, report};

/// Audits the invariants across all databases, the gateway and Kafka. Exit code 1, and a list, where they don't hold.
#[derive(Debug, Args)]
pub struct Verify {
    /// Seconds to wait for the system to come to rest.
    #[arg(long, default_value_t = 30)]
    wait: u64,
}

impl Verify {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let audited = audit::run(&running()?, Duration::from_secs(self.wait)).await?;
        report::audit(&audited);
        Ok(if audited.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
