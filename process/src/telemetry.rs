//! Logs on standard error and the registry of metrics, unless the host process has its own.

use std::{
    io::IsTerminal,
    sync::{Mutex, PoisonError},
};

use anyhow::Context;
use metrics::{Key, Level, Metadata, Recorder};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use tracing_subscriber::{EnvFilter, util::SubscriberInitExt};

static METRICS: Mutex<Option<PrometheusHandle>> = Mutex::new(None);

/// Starts logging (filter in `RUST_LOG`, `info` if unset; JSON with `LOG_FORMAT=json`) and returns the handle that
/// renders the metrics. A second program in the same process shares both.
///
/// A host that embeds a program may already have a `tracing` subscriber or a `metrics` recorder. Then that one is used
/// and ours is not installed; the handle then renders nothing but `metrics_recorded_by_the_host`.
///
/// # Errors
/// A `RUST_LOG` that is not a valid filter.
pub fn init() -> anyhow::Result<PrometheusHandle> {
    let mut started = METRICS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(metrics) = &*started {
        return Ok(metrics.clone());
    }
    start_logging()?;
    let metrics = start_metrics()?;
    Ok(started.insert(metrics).clone())
}

fn start_logging() -> anyhow::Result<()> {
    let filter = EnvFilter::builder()
        .with_default_directive(tracing::level_filters::LevelFilter::INFO.into())
        .from_env()
        .context("RUST_LOG is not a filter such as `info` or `info,saga=debug`")?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    let started = match std::env::var("LOG_FORMAT").as_deref() {
        Ok("json") => lines.json().flatten_event(true).finish().try_init(),
        _ => lines.with_ansi(std::io::stderr().is_terminal()).finish().try_init(),
    };
    if let Err(error) = started {
        tracing::debug!(%error, "the host process has its own tracing subscriber; using it");
    }
    Ok(())
}

fn start_metrics() -> anyhow::Result<PrometheusHandle> {
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(
            Matcher::Suffix("_seconds".into()),
            &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0],
        )?
        .build_recorder();
    let metrics = recorder.handle();
    if let Err(refused) = metrics::set_global_recorder(recorder) {
        tell_of_the_host(&refused.into_inner());
    }
    Ok(metrics)
}

/// Makes a recorder that receives no metrics say where they are.
fn tell_of_the_host(unused: &PrometheusRecorder) {
    const NAME: &str = "metrics_recorded_by_the_host";
    const HERE: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, Some(module_path!()));
    let told = "The process had a recorder of metrics before this program began: all of its metrics go there.";
    unused.describe_gauge(NAME.into(), None, told.into());
    unused.register_gauge(&Key::from_static_name(NAME), &HERE).set(1.0);
    tracing::debug!("the host process has its own metrics recorder; using it");
}
