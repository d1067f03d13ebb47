//! `scenarios chaos`: trouble of every kind while orders flow, and an audit afterwards.

#![expect(clippy::print_stdout, reason = "the diary and the verdict are the command's output")]

use std::{process::ExitCode, time::Duration};

use clap::Args;
use kit::shutdown::Shutdown;

use crate::{
    chaos::{Chaos, Diary},
    report,
    stack::{self, Broker, Environment, Options, Program, Reporter},
};

/// Kills, freezes and restarts what runs while orders flow; then everything has to agree.
///
/// Starts a system of its own. Says what it does to whom and when, waits for the last order, and audits. Exit code 0 only
/// if every order ended once and every invariant holds.
#[derive(Debug, Args)]
pub struct ChaosCommand {
    /// What carries the events. Only Kafka can be stopped and started meanwhile.
    #[arg(long, value_enum, default_value_t = Broker::Embedded)]
    broker: Broker,
    /// Seconds of trouble; the time that servers take to come back is added.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// What the trouble and the orders are drawn from; unset, another one each time. The same seed draws the same again.
    #[arg(long)]
    seed: Option<u64>,
    /// Orders a second.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rate: u32,
    /// Seconds that the system may take to come to rest afterwards.
    #[arg(long, default_value_t = 120)]
    patience: u64,
}

impl ChaosCommand {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        anyhow::ensure!(
            Environment::from_process()?.is_none(),
            "KAFKA_BROKERS and DATABASE_URL_… name a system that runs; chaos wants one of its own: unset them"
        );
        let shutdown = Shutdown::on_signals()?;
        let reporter = Reporter::on_stderr();
        let chaos = Chaos {
            lasting: Duration::from_secs(self.seconds),
            seed: self.seed.unwrap_or_else(|| rand::random_range(0..1_000_000)),
            rate: self.rate,
            patience: Duration::from_secs(self.patience),
        };
        let outcome = stack::with(self.options(), &reporter, &shutdown, async |stack| {
            println!("chaos for {} s, seed {}, {} orders a second", self.seconds, chaos.seed, self.rate);
            let screen = reporter.clone();
            let diary = Diary::open(move |line| screen.suspend(|| println!("{line}")));
            chaos.run(stack, &diary).await
        })
        .await?;
        let Some(outcome) = outcome else { return Ok(ExitCode::FAILURE) };
        report::audit(&outcome.audit);
        println!();
        println!("{} deeds, {} of them kills; seed {}", outcome.deeds, outcome.kills, chaos.seed);
        println!("{}", outcome.tally);
        Ok(if outcome.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// Shorter times than usual, so that deadlines pass and leases end within the run.
    fn options(&self) -> Options {
        Options::new(self.broker).setting(Program::Order, "ORDER_TIMEOUT_SECONDS", "20").setting(
            Program::OutboxRelay,
            "RELAY_LEASE_MS",
            "2000",
        )
    }
}
