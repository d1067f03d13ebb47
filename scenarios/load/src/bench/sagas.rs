//! Whole sagas: the shop's configuration and the naive one, in turns. The machine's speed drifts, so only adjacent runs are
//! comparable.

use std::time::Duration;

use operations::audit;
use saga::shutdown::Shutdown;
use serde::Serialize;
use testbed::{Broker, Manifest, Options, Reporter, Role};

use crate::{
    cast::{Choice, Hot},
    figures::Figures,
    machine::Setting,
    mix::{Fate, Mix},
    plan::{Pace, Plan, Stage},
};

/// Names of the stages that the summary refers to.
pub const IDLE: &str = "one at a time";
pub const HEAVY: &str = "heavy";
pub const WALLET: &str = "wallet";
pub const ONE_PRODUCT: &str = "one product";
pub const ONE_USER: &str = "one user";
pub const CARD: &str = "card";

const PATIENCE: Duration = Duration::from_secs(90);
/// Sagas in flight in a naive run: enough to keep every service busy, and few enough to end within an order's deadline.
const NAIVE_IN_FLIGHT: u32 = 200;

/// Results of one run of the system.
#[derive(Debug, Serialize)]
pub struct Run {
    pub stages: Vec<Figures>,
    pub audit_holds: bool,
    pub setting: Setting,
}

/// Our runs and the naive ones, in the order in which they were made.
#[derive(Debug, Serialize)]
pub struct Sagas {
    pub ours: Vec<Run>,
    pub naive: Vec<Run>,
}

/// Size of the measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// One saga on an idle system, and the largest throughput.
    Throughput,
    /// Every figure.
    Everything,
}

/// Starts the system four times: ours, naive, ours, naive. `orders` is the size of the largest stage.
pub async fn alternate(
    extent: Extent,
    orders: u32,
    reporter: &Reporter,
    shutdown: &Shutdown,
) -> anyhow::Result<Option<Sagas>> {
    let mut sagas = Sagas { ours: Vec::new(), naive: Vec::new() };
    for again in [false, true] {
        let plan = if again { throughput(orders) } else { ours(extent, orders) };
        let Some(run) = run(&plan, quiet(), reporter, shutdown).await? else { return Ok(None) };
        sagas.ours.push(run);
        let Some(run) = run_naive(orders, reporter, shutdown).await? else { return Ok(None) };
        sagas.naive.push(run);
    }
    Ok(Some(sagas))
}

async fn run_naive(orders: u32, reporter: &Reporter, shutdown: &Shutdown) -> anyhow::Result<Option<Run>> {
    reporter.note("the naive way: one event in a transaction, one message in a request");
    let options = Manifest::of_the_shop().programs().fold(quiet(), |options, program| match program.role() {
        Role::Relay => options.setting(program, "RELAY_BATCH_MAX", "1"),
        Role::Outside => options,
        Role::Service(_) => options.setting(program, "BATCH_MAX", "1"),
    });
    run(&naive(orders), options, reporter, shutdown).await
}

pub(super) async fn run(
    plan: &Plan,
    options: Options,
    reporter: &Reporter,
    shutdown: &Shutdown,
) -> anyhow::Result<Option<Run>> {
    testbed::with(options, reporter, shutdown, async |stack| {
        let (broker, database) = stack.versions();
        let setting = tokio::task::spawn_blocking(move || Setting::find(broker, database)).await??;
        let stages = crate::run(plan, stack, reporter).await?;
        let step = reporter.step("auditing all databases, the gateway and Kafka");
        let audited = audit::run(stack.environment(), PATIENCE).await?;
        let audit_holds = audited.holds();
        step.done(if audit_holds { "audited: everything agrees" } else { "audited: something should not be" });
        if !audit_holds {
            reporter.suspend(|| operations::report::audit(&audited));
        }
        Ok(Run { stages, audit_holds, setting })
    })
    .await
}

/// Measured programs log only warnings and errors.
pub fn quiet() -> Options {
    Options::new(Broker::Kafka).setting_of_all("RUST_LOG", "warn")
}

fn stage(name: &str, orders: u32, pace: Pace, choice: Choice) -> Stage {
    Stage { name: name.to_owned(), orders: orders.max(1), pace, mix: Mix::only(Fate::Happy), choice }
}

fn plan(stages: Vec<Stage>) -> Plan {
    Plan { warm_up: 300, stages, patience: PATIENCE }
}

fn idle(orders: u32) -> Stage {
    stage(IDLE, orders, Pace::Rate(4.0), Choice::default())
}

fn ours(extent: Extent, orders: u32) -> Plan {
    let (all, at_once) = (Choice::default(), Pace::AtOnce);
    let flat_out = Pace::InFlight(1_000);
    let wallet = stage(WALLET, orders, flat_out, all);
    plan(match extent {
        Extent::Throughput => vec![idle(60), wallet],
        Extent::Everything => vec![
            idle(60),
            stage("light", 50, at_once, all),
            stage("medium", 200, at_once, all),
            stage(HEAVY, 1_000, at_once, all),
            wallet,
            stage(ONE_PRODUCT, orders * 7 / 10, flat_out, Choice { hot: Some(Hot::Product), ..all }),
            stage(ONE_USER, orders * 7 / 10, flat_out, Choice { hot: Some(Hot::User), ..all }),
            stage(CARD, orders * 4 / 10, flat_out, Choice { card: true, ..all }),
        ],
    })
}

/// The largest throughput, then some sagas at a time, and one. The first stage is for warming up: the broker's JVM has to have
/// optimized.
pub fn at_every_load(orders: u32) -> Plan {
    let some = |name, orders, flying| stage(name, orders, Pace::InFlight(flying), Choice::default());
    plan(vec![
        some("warm-up", orders, 1_000),
        some(WALLET, orders, 1_000),
        some("16 in flight", orders / 20, 16),
        some("1 in flight", orders / 100, 1),
    ])
}

fn throughput(orders: u32) -> Plan {
    plan(vec![stage(WALLET, orders, Pace::InFlight(1_000), Choice::default())])
}

fn naive(orders: u32) -> Plan {
    let wallet = stage(WALLET, orders / 10, Pace::InFlight(NAIVE_IN_FLIGHT), Choice::default());
    Plan { warm_up: 100, ..plan(vec![idle(30), wallet]) }
}

impl Sagas {
    /// A stage of our first run.
    pub fn stage(&self, name: &str) -> Option<&Figures> {
        self.ours.first()?.stages.iter().find(|figures| figures.stage == name)
    }

    /// Whole sagas per second: the mean of our runs, and of the naive ones.
    pub fn throughput(&self) -> (f64, f64) {
        (
            mean_of(&self.ours, |figures| figures.sagas_per_second, WALLET),
            mean_of(&self.naive, |figures| figures.sagas_per_second, WALLET),
        )
    }

    /// Median latency of one saga on an idle naive system, in milliseconds.
    pub fn naive_idle(&self) -> f64 {
        mean_of(&self.naive, |figures| figures.latency.p50, IDLE)
    }

    pub fn audits_hold(&self) -> bool {
        self.ours.iter().chain(&self.naive).all(|run| run.audit_holds)
    }
}

fn mean_of(runs: &[Run], value: impl Fn(&Figures) -> f64, name: &str) -> f64 {
    let stages = runs.iter().flat_map(|run| &run.stages).filter(|figures| figures.stage == name);
    let values: Vec<f64> = stages.map(value).collect();
    if values.is_empty() { 0.0 } else { values.iter().sum::<f64>() / values.len() as f64 }
}
