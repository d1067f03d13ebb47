//! The baseline: what database and broker achieve without any other work, and what follows from it.

use std::time::Duration;

use comfy_table::Table;
use serde::Serialize;
use testbed::{Database, Reporter};

use super::{
    ground::Ground,
    raw,
    sql::{self, Batches},
    summary,
};
use crate::{machine::Setting, times::Latency};

/// Records in one successful saga: the request and ten events.
const EVENTS: f64 = 11.0;
/// Each record but the last is read by one service that acts upon it, in a transaction that publishes the next one.
const STEPS: f64 = 10.0;

const TOPIC: &str = "bench.floor";
const RECORDS: u64 = 300_000;

/// Maximum rates of the machine, per second except for the echo.
#[derive(Debug, Clone, Serialize)]
pub struct Floor {
    pub batches: Vec<Batches>,
    pub read: f64,
    pub produce: f64,
    pub consume: f64,
    /// From sending a record to receiving it, in milliseconds.
    pub echo: Latency,
}

/// Measures everything, in about half a minute.
pub async fn measure(ground: &Ground, reporter: &Reporter) -> anyhow::Result<Floor> {
    let step = reporter.step("inbox, domain and outbox on raw connections");
    sql::seed(ground).await?;
    let mut batches = Vec::new();
    for (batch, connections) in [(1, 1), (1, 16), (10, 1), (10, 4), (100, 1), (100, 2), (500, 1), (500, 2)] {
        step.now(format!("inbox, domain and outbox: {batch} events a transaction, {connections} connections"));
        batches.push(sql::batches(ground, batch, connections, Duration::from_secs(2)).await?);
    }
    let accounts = ground.pool(Database::ACCOUNTS, 1)?;
    let read = sql::read_outbox(&accounts, Duration::from_secs(3)).await?;
    accounts.close().await;
    step.done("inbox, domain and outbox on raw connections; reading the outbox");

    let step = reporter.step("raw produce and consume");
    ground.topics(&[TOPIC.to_owned()]).await?;
    let kafka = ground.kafka();
    let echo = raw::echo(&kafka, TOPIC, 300).await?;
    let flat_out = move || anyhow::Ok((raw::produce(&kafka, TOPIC, RECORDS)?, raw::consume(&kafka, TOPIC)?));
    let (produce, consume) = tokio::task::spawn_blocking(flat_out).await??;
    step.done("raw produce and consume");
    Ok(Floor { batches, read, produce, consume, echo })
}

impl Floor {
    /// Events per second through inbox, domain and outbox, in the best of the batch sizes.
    pub fn best(&self) -> f64 {
        self.batches.iter().map(|batches| batches.events_per_second).fold(0.0, f64::max)
    }

    /// Whole sagas per second, if each step cost what it costs alone and there were no other work. One machine does all of it, so
    /// the times add up.
    pub fn sagas_per_second(&self) -> f64 {
        1.0 / (STEPS / self.best() + STEPS / self.read + EVENTS / self.produce + EVENTS / self.consume)
    }

    /// Rows per second from the outbox to the broker.
    pub fn relayed_per_second(&self) -> f64 {
        1.0 / (1.0 / self.read + 1.0 / self.produce)
    }

    /// Minimum duration of one saga in milliseconds: ten transactions of one event, and eleven records, in sequence.
    pub fn saga_milliseconds(&self) -> f64 {
        let one = self.batches.iter().find(|batches| (batches.batch, batches.connections) == (1, 1));
        let transaction = one.map_or(0.0, |batches| 1e3 / batches.events_per_second);
        STEPS * transaction + EVENTS * self.echo.p50
    }

    pub fn table(&self, setting: &Setting) -> Table {
        let mut table = summary::table(&["floor", "measured"]);
        let mut row = |what: String, measured: String| {
            table.add_row([what, measured]);
        };
        row("fsync of 8 KiB".into(), format!("p50 {:.2} ms, p99 {:.2} ms", setting.fsync.p50_ms, setting.fsync.p99_ms));
        for Batches { batch, connections, events_per_second } in &self.batches {
            let what = format!("inbox + domain + outbox, {batch} a transaction, {connections} connections");
            row(what, format!("{} events/s", summary::thousands(*events_per_second)));
        }
        row("reading the outbox".into(), format!("{} rows/s", summary::thousands(self.read)));
        row("produce, 500 bytes, four headers, lz4".into(), format!("{} records/s", summary::thousands(self.produce)));
        row("consume".into(), format!("{} records/s", summary::thousands(self.consume)));
        row("one record, sent and heard".into(), format!("p50 {:.2} ms, p99 {:.2} ms", self.echo.p50, self.echo.p99));
        row(
            "→ whole sagas, all of it on this machine".into(),
            format!("{} sagas/s", summary::thousands(self.sagas_per_second())),
        );
        row("→ relayed rows".into(), format!("{} rows/s", summary::thousands(self.relayed_per_second())));
        row("→ one saga, step after step".into(), format!("{:.1} ms", self.saga_milliseconds()));
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_add_up_on_one_machine() {
        let batches = |batch, connections, events_per_second| Batches { batch, connections, events_per_second };
        let floor = Floor {
            batches: vec![batches(1, 1, 1_000.0), batches(500, 2, 100_000.0)],
            read: 200_000.0,
            produce: 200_000.0,
            consume: 200_000.0,
            echo: Latency { p50: 0.5, ..Latency::default() },
        };
        // Ten steps of 10 µs, ten rows and eleven records of 5 µs twice.
        assert!((floor.sagas_per_second() - 1e6 / (100.0 + 50.0 + 110.0)).abs() < 1.0);
        assert!((floor.relayed_per_second() - 100_000.0).abs() < 1.0);
        assert!((floor.saga_milliseconds() - (10.0 + 5.5)).abs() < 0.01);
    }
}
