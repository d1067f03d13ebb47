//! Place that an issuer's keys are read from: every read is bounded in time and in size.

use std::{io::Read as _, path::PathBuf, time::Duration};

use anyhow::{Context, ensure};
use reqwest::{Client, ClientBuilder, Url, redirect::Policy};
use tokio::time::timeout;

use crate::key::KeySet;

/// Where the keys are.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    Url(Client, Url),
    File(PathBuf),
}

/// Bounds of one read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading {
    pub(crate) within: Duration,
    pub(crate) bytes: usize,
}

/// The HTTP client for an issuer's keys. It follows no redirect: the keys come from the configured address or not at all.
///
/// # Errors
/// If the builder's TLS settings are unusable.
pub fn client(builder: ClientBuilder) -> anyhow::Result<Client> {
    builder
        .redirect(Policy::none())
        .pool_max_idle_per_host(1)
        .build()
        .context("creating the HTTP client for JWT_JWKS_URL")
}

impl Source {
    /// Reads the keys.
    ///
    /// # Errors
    /// If the source is silent for too long, says too much, or says something else.
    pub(crate) async fn read(&self, bounds: Reading) -> anyhow::Result<KeySet> {
        let reading = async {
            match self {
                Source::Url(client, url) => fetched(client, url, bounds.bytes).await,
                Source::File(path) => {
                    let path = path.clone();
                    tokio::task::spawn_blocking(move || of_file(&path, bounds.bytes)).await.context("reading it")?
                }
            }
        };
        let text = timeout(bounds.within, reading).await;
        let text = text.with_context(|| format!("no whole answer within {} ms", bounds.within.as_millis()))??;
        KeySet::parse(&text)
    }
}

async fn fetched(client: &Client, url: &Url, bytes: usize) -> anyhow::Result<Vec<u8>> {
    let request = client.get(url.clone()).header("accept", "application/jwk-set+json, application/json");
    let mut answer = request.send().await?;
    ensure!(answer.status() == reqwest::StatusCode::OK, "the answer is {}", answer.status());
    let mut text = Vec::new();
    // Counted while it arrives: a Content-Length may be missing or untrue.
    while let Some(chunk) = answer.chunk().await? {
        ensure!(text.len() + chunk.len() <= bytes, "more than {bytes} bytes");
        text.extend_from_slice(&chunk);
    }
    Ok(text)
}

fn of_file(path: &std::path::Path, bytes: usize) -> anyhow::Result<Vec<u8>> {
    let file = std::fs::File::open(path).with_context(|| format!("opening {}", path.display()))?;
    let mut text = Vec::new();
    file.take(bytes as u64 + 1).read_to_end(&mut text).with_context(|| format!("reading {}", path.display()))?;
    ensure!(text.len() <= bytes, "{} has more than {bytes} bytes", path.display());
    Ok(text)
}
