//! Logs on standard error and the registry of metrics.

use std::{
    io::IsTerminal,
    sync::{Mutex, PoisonError},
};

use anyhow::Context;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

static METRICS: Mutex<Option<PrometheusHandle>> = Mutex::new(None);

/// Starts logging (filter in `RUST_LOG`, `info` if unset; JSON with `LOG_FORMAT=json`) and returns the handle that renders
/// the metrics. A second program in the same process shares both.
pub fn init() -> anyhow::Result<PrometheusHandle> {
    let mut started = METRICS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(metrics) = &*started {
        return Ok(metrics.clone());
    }
    let metrics = start()?;
    Ok(started.insert(metrics).clone())
}

fn start() -> anyhow::Result<PrometheusHandle> {
    let filter = EnvFilter::builder()
        .with_default_directive(tracing::level_filters::LevelFilter::INFO.into())
        .from_env()
        .context("RUST_LOG is no filter such as `info` or `info,saga=debug`")?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    match std::env::var("LOG_FORMAT").as_deref() {
        Ok("json") => lines.json().flatten_event(true).init(),
        _ => lines.with_ansi(std::io::stderr().is_terminal()).init(),
    }
    PrometheusBuilder::new()
        .set_buckets_for_metric(
            Matcher::Suffix("_seconds".into()),
            &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0],
        )?
        .install_recorder()
        .context("installing the metrics recorder")
}
