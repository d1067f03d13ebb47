//! The relay alone, as a process: throughput on a backlog, delay, and CPU cost.

mod backlog;
mod delay;
mod process;
mod writer;

use std::time::Duration;

use comfy_table::Table;
use serde::Serialize;
use testbed::Reporter;

use super::{ground::Ground, summary};
use crate::{processes::Processes, times::Latency};

/// Rows per second written while the delay is measured.
const RATES: [u32; 3] = [200, 1_000, 2_000];
const EACH: Duration = Duration::from_secs(8);

/// Results for the relay.
#[derive(Debug, Clone, Serialize)]
pub struct Relayed {
    pub backlog: Backlog,
    pub idle: Idle,
    pub delays: Vec<Delay>,
}

/// Draining what was written before it was started.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Backlog {
    pub rows: u64,
    pub rows_per_second: f64,
    /// CPU time of the relay per row, in microseconds.
    pub cpu_microseconds: f64,
    pub peak_mib: f64,
}

/// Seven databases with nothing to publish.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Idle {
    /// Percent of one core.
    pub cpu_percent: f64,
    pub resident_mib: f64,
}

/// Delay from the commit of a row to its arrival at a consumer, in milliseconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Delay {
    pub rate: u32,
    pub latency: Latency,
    /// Rows that arrived before their writer had confirmation of its own commit; they count as no delay.
    pub early: u64,
    pub cpu_percent: f64,
}

/// Runs all measurements, with `rows` rows of backlog.
///
/// # Errors
/// If the relay does not start, or loses or repeats a row.
pub async fn measure(ground: &Ground, rows: u64, reporter: &Reporter) -> anyhow::Result<Relayed> {
    let step = reporter.step(format!("writing {rows} rows into an outbox"));
    writer::backlog(ground, rows, |written| step.now(format!("{written} of {rows} rows written"))).await?;
    step.done(format!("{rows} rows of about 500 bytes are in an outbox"));

    let step = reporter.step("the relay drains them");
    let begin = backlog::Before::look(ground).await?;
    let relay = process::start(ground, reporter)?;
    let measured = async {
        let backlog = begin.drain(ground, &relay).await?;
        step.done(format!("drained at {} rows/s", summary::thousands(backlog.rows_per_second)));
        relay.ready().await?;
        let idle = idle(&relay, reporter).await?;
        let mut delays = Vec::new();
        for rate in RATES {
            let step = reporter.step(format!("{rate} rows a second"));
            let delay = delay::measure(ground, &relay, rate, EACH).await?;
            step.done(format!(
                "{rate} rows a second: p50 {:.1} ms, p99 {:.1} ms",
                delay.latency.p50, delay.latency.p99
            ));
            delays.push(delay);
        }
        anyhow::Ok(Relayed { backlog, idle, delays })
    };
    let measured = measured.await;
    relay.stop().await?;
    measured
}

async fn idle(relay: &process::RelayProcess, reporter: &Reporter) -> anyhow::Result<Idle> {
    const LENGTH: Duration = Duration::from_secs(8);
    let step = reporter.step("the relay idles");
    // Earlier work is finished by then.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let meter = Processes::named([("relay", relay.pid()?)]).meter();
    tokio::time::sleep(LENGTH).await;
    let usage = meter.read();
    let (cpu, resident_mib) = usage.first().map_or((0.0, 0.0), |usage| (usage.cpu_seconds, usage.resident_mib));
    let idle = Idle { cpu_percent: cpu / LENGTH.as_secs_f64() * 100.0, resident_mib };
    step.done(format!("the relay idles at {:.1} % of a core", idle.cpu_percent));
    Ok(idle)
}

impl Relayed {
    /// The delay at this rate.
    pub fn at(&self, rate: u32) -> Option<&Delay> {
        self.delays.iter().find(|delay| delay.rate == rate)
    }

    pub fn table(&self) -> Table {
        let mut table = summary::table(&["relay", "measured"]);
        let mut row = |what: String, measured: String| {
            table.add_row([what, measured]);
        };
        let Backlog { rows, rows_per_second, cpu_microseconds, peak_mib } = self.backlog;
        row(
            format!("backlog of {} rows of about 500 bytes", summary::thousands(rows as f64)),
            format!(
                "{} rows/s, {cpu_microseconds:.1} µs of CPU a row, peak {peak_mib:.0} MiB",
                summary::thousands(rows_per_second)
            ),
        );
        row(
            "idle, seven databases".into(),
            format!("{:.1} % of a core, {:.0} MiB", self.idle.cpu_percent, self.idle.resident_mib),
        );
        for Delay { rate, latency, early, cpu_percent } in &self.delays {
            let early = if *early == 0 { String::new() } else { format!(", {early} before the writer heard of it") };
            row(
                format!("commit → consumer at {} rows/s", summary::thousands(f64::from(*rate))),
                format!(
                    "p50 {:.1} ms, p99 {:.1} ms, max {:.0} ms, {cpu_percent:.0} % of a core{early}",
                    latency.p50, latency.p99, latency.max
                ),
            );
        }
        table
    }
}
