//! A private PostgreSQL with the services' databases, for as long as a command runs.

use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use saga::shutdown::Shutdown;
use secrecy::ExposeSecret;
use simulation::{Databases, shop::Shop};
use testbed::{Manifest, Postgres, Reporter, StateDir};

/// The databases that a command plays on.
#[derive(Debug, Default, Args)]
pub(super) struct SideBySide {
    /// Major version of PostgreSQL, 17 or 18, fetched if it is missing. Defaults to the installed version.
    #[arg(long, value_name = "MAJOR")]
    postgres: Option<u32>,
}

impl SideBySide {
    /// Starts PostgreSQL, runs this on new databases, and stops it. The exit code is 1 if it returns false or is stopped by a
    /// signal.
    pub(super) async fn run(
        self,
        play: impl AsyncFnOnce(&Databases) -> anyhow::Result<bool>,
    ) -> anyhow::Result<ExitCode> {
        let shutdown = Shutdown::on_signals()?;
        let (state, reporter) = (StateDir::create()?, Reporter::on_stderr());
        let step = reporter.step("starting PostgreSQL");
        let manifest = Manifest::of_the_shop();
        let postgres = match self.postgres {
            Some(major) => Postgres::start_version(major, &manifest, None, &state, &step).await?,
            None => Postgres::start(&manifest, None, &state).await?,
        };
        step.done(format!("PostgreSQL {}, private", postgres.version()));
        let played = async {
            let server = postgres.admin_url().expose_secret().parse().context("the URL of PostgreSQL")?;
            let databases = Databases::create(&server, &Shop::default()).await.context("creating the databases")?;
            play(&databases).await
        };
        let well = tokio::select! {
            well = played => well,
            () = shutdown.requested() => Ok(false),
        };
        postgres.stop().await?;
        Ok(if well? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
