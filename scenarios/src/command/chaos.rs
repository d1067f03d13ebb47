//! `scenarios chaos`: faults of every kind while orders flow, and an audit afterwards.

#![expect(clippy::print_stdout, reason = "the diary and the verdict are the command's output")]

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Context;
use clap::Args;
use saga::shutdown::Shutdown;
use serde_json::{Value, json};

use chaos::{Chaos, Diary, Kind, Outcome};
use testbed::{Broker, Environment, Manifest, Options, Program, Reporter};

use super::system::System;

/// Injects faults while orders flow, then audits the whole system.
///
/// Starts its own system. Prints each fault with its target and time, waits for the last order, and audits. Meanwhile
/// reconcile repairs, a person retries or answers parked work, and the provider voids and captures by itself. The exit code is
/// 0 only if every order ended once, every invariant holds, no healthy order was repaired, nothing is left to repair, and no
/// program reported a false readiness: ready while it did nothing, or unready although it worked.
#[derive(Debug, Args)]
pub struct ChaosCommand {
    #[command(flatten)]
    system: System,
    /// Broker to start. Only Kafka can be stopped and restarted during the run.
    #[arg(long, value_enum, default_value_t = Broker::Embedded)]
    broker: Broker,
    /// Duration of the faults, in seconds. From 120 on, every other round waits after each fault until orders flow again, and
    /// reports the recovery time.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Seed of the faults and the orders: the same seed produces the same plan. Random if unset.
    #[arg(long)]
    seed: Option<u64>,
    /// Orders per second.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rate: u32,
    /// Maximum time for the system to come to rest afterwards, in seconds.
    #[arg(long, default_value_t = 120)]
    patience: u64,
    /// Inject only faults of this kind; may be repeated.
    #[arg(long, value_name = "KIND")]
    only: Vec<Kind>,
    /// Another version of a program, which `rolling-change` exchanges it for and back; may be repeated. The order given is that
    /// of the change: readers of a new event before its writers. Without it, a rolling change restarts a program with its own.
    #[arg(long, value_name = "PROGRAM=PATH", value_parser = next)]
    next: Vec<(String, PathBuf)>,
    /// Inject one fault at a time: wait until orders flow again, and report the recovery time. Nobody else acts meanwhile.
    #[arg(long)]
    apart: bool,
    /// Write the result and the recovery times to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

impl ChaosCommand {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        anyhow::ensure!(
            Environment::from_process()?.is_none(),
            "KAFKA_BROKERS and DATABASE_URL_… name a running system; unset them, because chaos starts its own"
        );
        let shutdown = Shutdown::on_signals()?;
        let reporter = Reporter::on_stderr();
        let options = self.options()?;
        let chaos = Chaos {
            lasting: Duration::from_secs(self.seconds),
            seed: self.seed.unwrap_or_else(|| rand::random_range(0..1_000_000)),
            rate: self.rate,
            patience: Duration::from_secs(self.patience),
            kinds: self.kinds(),
            next: self.versions(&options.manifest)?,
            apart: self.apart,
        };
        let seed = chaos.seed;
        let outcome = testbed::with(options, &reporter, &shutdown, async |stack| {
            println!("chaos for {} s, seed {seed}, {} orders a second", self.seconds, self.rate);
            let screen = reporter.clone();
            let diary = Diary::open(move |line| screen.suspend(|| println!("{line}")));
            chaos.run(stack, &diary).await
        })
        .await?;
        let Some(outcome) = outcome else { return Ok(ExitCode::FAILURE) };
        operations::report::audit(&outcome.audit);
        println!();
        if !outcome.recoveries.is_empty() {
            println!("{}", outcome.recoveries);
        }
        for finding in &outcome.findings {
            println!("✗ {finding}");
        }
        println!("{} faults, {} of them kills; seed {seed}", outcome.faults.len(), outcome.kills());
        if let Some(meddling) = &outcome.meddling {
            println!("{meddling}");
        }
        println!("{}", outcome.tally);
        if let Some(path) = &self.json {
            std::fs::write(path, json(&outcome, seed).to_string())
                .with_context(|| format!("writing {}", path.display()))?;
        }
        Ok(if outcome.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn kinds(&self) -> Vec<Kind> {
        let wanted = |kind: &Kind| self.only.is_empty() || self.only.contains(kind);
        let possible = |kind: &Kind| self.broker == Broker::Kafka || !kind.needs_kafka();
        Kind::ALL.into_iter().filter(|kind| wanted(kind) && possible(kind)).collect()
    }

    /// Other versions of programs, which have to be there.
    fn versions(&self, manifest: &Manifest) -> anyhow::Result<Vec<(Program, PathBuf)>> {
        let kind = Kind::RollingChange;
        anyhow::ensure!(
            self.next.is_empty() || self.kinds().contains(&kind),
            "--next is for {kind}, which --only leaves out"
        );
        let mut versions: Vec<(Program, PathBuf)> = Vec::new();
        for (name, path) in &self.next {
            let program = manifest.program(name).filter(|program| program.speaks_kafka());
            let program = program.with_context(|| format!("--next: there is no service or relay `{name}`"))?;
            anyhow::ensure!(!versions.iter().any(|(other, _)| *other == program), "--next names `{name}` twice");
            let path = path.canonicalize().with_context(|| format!("--next {name}={}", path.display()))?;
            versions.push((program, path));
        }
        Ok(versions)
    }

    /// Shorter times than usual, so that deadlines pass and leases expire within the run.
    fn options(&self) -> anyhow::Result<Options> {
        let options = self.system.options(Some(self.broker), self.broker)?.breakable();
        let options = options.setting(Program::ORDER, "ORDER_TIMEOUT_SECONDS", "20");
        Ok(options.setting(Program::OUTBOX_RELAY, "RELAY_LEASE_MS", "2000"))
    }
}

/// A program's name, and the path of another version of it.
fn next(text: &str) -> Result<(String, PathBuf), String> {
    let (name, path) = text.split_once('=').ok_or("write PROGRAM=PATH")?;
    Ok((name.to_owned(), PathBuf::from(path)))
}

/// The outcome as JSON.
fn json(outcome: &Outcome, seed: u64) -> Value {
    let kinds: Vec<&str> = outcome.faults.iter().map(|kind| kind.name()).collect();
    json!({
        "seed": seed, "holds": outcome.holds(), "faults": kinds, "orders": outcome.tally.orders,
        "lost": outcome.tally.lost.len(), "doubled": outcome.tally.doubled.len(), "stuck": outcome.tally.stuck.len(),
        "findings": outcome.findings, "recovery": outcome.recoveries.to_json(),
    })
}
