//! `scenarios ready`: whether a program does its work, for health checks of containers that have no other HTTP client.

use std::{process::ExitCode, time::Duration};

use anyhow::Context;
use clap::Args;
use reqwest::{Client, Url};

/// Asks a program whether it is ready. Exit code 0 if `GET /readyz` is answered with 200.
#[derive(Debug, Args)]
pub struct Ready {
    /// Where the program answers HTTP, http://host:port.
    url: Url,
    /// Seconds to wait for the answer.
    #[arg(long, default_value_t = 2)]
    within: u64,
}

impl Ready {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let url = self.url.join("/readyz").context("putting the URL together")?;
        let request = Client::new().get(url.clone()).timeout(Duration::from_secs(self.within));
        let answer = request.send().await.with_context(|| format!("GET {url}"))?;
        let ready = answer.status() == 200;
        print!("{}", answer.text().await.unwrap_or_default());
        Ok(if ready { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
