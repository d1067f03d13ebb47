//! `scenarios ready`: a health check for containers that have no other HTTP client.

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::Context;
use clap::Args;
use reqwest::{Client, Url};

/// Checks whether a program is ready. The exit code is 0 if `GET /readyz` answers 200.
#[derive(Debug, Args)]
pub struct Ready {
    /// The program's HTTP address, or that of its operations if they are apart: http://host:port or https://host:port.
    url: Url,
    /// Timeout of each request, in seconds.
    #[arg(long, default_value_t = 2)]
    within: u64,
    /// Maximum time to repeat the request until the program is ready, in seconds; 0 asks once.
    #[arg(long, default_value_t = 0)]
    wait: u64,
}

impl Ready {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let url = self.url.join("/readyz").context("putting the URL together")?;
        let client = operations::transport_of_the_process()?.http()?.build()?;
        let end = Instant::now() + Duration::from_secs(self.wait);
        loop {
            let asked = ask(&client, &url, Duration::from_secs(self.within)).await;
            let is_ready = matches!(asked, Ok((true, _)));
            if !is_ready && Instant::now() < end {
                tokio::time::sleep(Duration::from_millis(200)).await;
                continue;
            }
            let (_, answer) = asked?;
            print!("{answer}");
            return Ok(if is_ready { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
    }
}

/// Tells whether the program is ready, and returns its answer.
async fn ask(client: &Client, url: &Url, within: Duration) -> anyhow::Result<(bool, String)> {
    let answer = client.get(url.clone()).timeout(within).send().await.with_context(|| format!("GET {url}"))?;
    let is_ready = answer.status() == 200;
    Ok((is_ready, answer.text().await.unwrap_or_default()))
}
