//! `scenarios simulate`: random runs on the services' real databases and in the model.

use std::{
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::Context;
use clap::Args;
use saga_check::{PlayError, Simulation};
use simulation::{Case, Databases};

use super::side_by_side::SideBySide;

/// Random runs on the services' real databases and in the model beside them, until both differ. For developers.
///
/// A run is determined by its seed: a shop, orders, batches, two replicas of each service, crashes between decision and commit,
/// redelivery, parked events, frozen workers, days that pass. After each deed rows, events and calls are compared. The exit code
/// is 1 if they differ or a law is broken. Needs PostgreSQL, which it starts.
#[derive(Debug, Args)]
pub struct Simulate {
    /// Seed of the first run; the others follow it. Random by default.
    #[arg(long)]
    seed: Option<u64>,
    /// Number of runs. Without it, runs follow each other for `--seconds`.
    #[arg(long, conflicts_with = "seconds")]
    runs: Option<u64>,
    /// Time after which no run begins any more.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Number of orders in a run.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=500))]
    orders: u16,
    /// Number of things that happen in a run, before whatever is still due comes to rest.
    #[arg(long, default_value_t = 80)]
    deeds: usize,
    /// File for the steps of the run that fails, in their order. What the seed adds to them, such as batches and crashes, only
    /// the seed repeats.
    #[arg(long, value_name = "FILE")]
    keep: Option<PathBuf>,
    #[command(flatten)]
    side_by_side: SideBySide,
}

impl Simulate {
    pub(super) async fn run(mut self) -> anyhow::Result<ExitCode> {
        let side_by_side = std::mem::take(&mut self.side_by_side);
        side_by_side.run(async |databases| self.until_one_fails(databases).await).await
    }

    async fn until_one_fails(&self, databases: &Databases) -> anyhow::Result<bool> {
        let first = self.seed.unwrap_or_else(|| rand::random_range(0..u64::MAX / 2));
        let (begun, bound) = (Instant::now(), Duration::from_secs(self.seconds));
        let mut run = 0;
        while self.runs.map_or_else(|| begun.elapsed() < bound, |runs| run < runs) {
            let seed = first.wrapping_add(run);
            if !self.once(seed, databases).await? {
                println!(
                    "again: scenarios simulate --seed {seed} --runs 1 --orders {} --deeds {}",
                    self.orders, self.deeds
                );
                return Ok(false);
            }
            run += 1;
        }
        println!("{run} runs, seeds from {first}: the databases and the model agree, and no law is broken");
        Ok(true)
    }

    /// Returns whether both worlds agreed, and no law was broken.
    async fn once(&self, seed: u64, databases: &Databases) -> anyhow::Result<bool> {
        let case = Case::random(seed, self.orders.into());
        databases.reset(&case.shop).await.context("writing the first rows")?;
        let check = case.check().parks();
        let (why, breaks, schedule) =
            match check.simulate(Simulation { seed, deeds: self.deeds }, &databases.pools()).await {
                Ok(Ok(simulated)) => {
                    println!("seed {seed}: {} steps, {:?}", simulated.steps, simulated.deeds);
                    return Ok(true);
                }
                Ok(Err(broken)) => (broken.to_string(), Some(broken.law.to_owned()), broken.schedule),
                Err(PlayError::Parted(parted)) => (parted.to_string(), None, parted.schedule),
                Err(error) => anyhow::bail!("seed {seed}: {error}"),
            };
        println!("seed {seed}: {why}");
        self.keep(Case { schedule, breaks, ..case })?;
        Ok(false)
    }

    fn keep(&self, case: Case) -> anyhow::Result<()> {
        let Some(file) = &self.keep else { return Ok(()) };
        let text = serde_json::to_string_pretty(&case).context("writing the run as JSON")?;
        std::fs::write(file, text + "\n").with_context(|| format!("writing {}", file.display()))?;
        println!("its steps, one by one: scenarios play {}", file.display());
        Ok(())
    }
}
