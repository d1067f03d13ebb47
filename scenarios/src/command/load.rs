//! `scenarios load`: drives load and measures it.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Context;
use clap::{Args, ValueEnum};
use load::{
    cast::{Choice, Hot},
    machine::Setting,
    mix::Mix,
    plan::{Pace, Plan, Stage},
    report::{self, Report},
};
use operations::audit;
use saga::shutdown::Shutdown;
use testbed::{Broker, Options, PARTITIONS, Reporter, Stack, StateDir};

use super::system::System;

/// Drives load and measures success, failure, latency, CPU and memory, then audits everything.
///
/// Starts its own system, unless KAFKA_BROKERS and DATABASE_URL_… name a running one. The exit code is 1 if an order
/// has not ended in time, or the audit does not hold.
#[derive(Debug, Args)]
pub struct Load {
    /// Stages to run in sequence; each sends all its requests at once.
    #[arg(value_enum, required_unless_present = "orders", conflicts_with = "orders")]
    stages: Vec<Size>,
    /// Number of orders. Without --rate, the next is sent when one ends (a closed loop).
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    orders: Option<u32>,
    /// Requests per second, whether or not the system keeps up. Latency counts from the intended send time.
    #[arg(long, value_name = "R", requires = "orders", conflicts_with = "in_flight", value_parser = positive)]
    rate: Option<f64>,
    /// Number of orders in flight at the same time in a closed loop.
    #[arg(long, value_name = "M", requires = "orders", value_parser = clap::value_parser!(u32).range(1..), default_value_t = 1_000)]
    in_flight: u32,
    /// Percentages of happy, card, hot_product, hot_user, no_balance and no_stock orders.
    #[arg(long, default_value = "happy=100")]
    mix: Mix,
    /// Makes all happy orders share a product or a user.
    #[arg(long, value_enum)]
    hot: Option<Hot>,
    /// Payment method of happy orders.
    #[arg(long, value_enum, default_value_t = Method::Wallet)]
    method: Method,
    /// Number of buyers that the orders are spread over.
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    users: u32,
    /// Number of unmeasured orders before the first stage. Defaults to 200, or fewer if the load itself is smaller.
    #[arg(long, value_name = "N")]
    warm_up: Option<u32>,
    #[command(flatten)]
    system: System,
    /// Broker to start.
    #[arg(long, value_enum, default_value_t = Broker::Kafka)]
    broker: Broker,
    /// Maximum time for an order to end after the last request, in seconds. A later order counts as a technical failure.
    #[arg(long, default_value_t = 90)]
    patience: u64,
}

/// Requests of a stage, all at once.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Size {
    /// 50 at once.
    Light,
    /// 200 at once.
    Medium,
    /// 1000 at once.
    Heavy,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Method {
    /// Wallet, within the payment service.
    Wallet,
    /// Card, through the gateway.
    Card,
}

impl Load {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let plan = self.plan();
        plan.fits(self.broker, PARTITIONS)?;
        let shutdown = Shutdown::on_signals()?;
        let reporter = Reporter::on_stderr();
        let options = quiet(self.system.options(Some(self.broker), self.broker)?);
        let held =
            testbed::with(options, &reporter, &shutdown, async |stack| measure(&plan, stack, &reporter).await).await?;
        Ok(if held == Some(true) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn plan(&self) -> Plan {
        let choice = Choice { users: self.users, hot: self.hot, card: self.method == Method::Card };
        let stage = |name: &str, orders: u32, pace: Pace| Stage {
            name: name.to_owned(),
            orders,
            pace,
            mix: self.mix.clone(),
            choice,
        };
        let stages: Vec<Stage> = match self.orders {
            Some(orders) => {
                let pace = self.rate.map_or(Pace::InFlight(self.in_flight), Pace::Rate);
                vec![stage("load", orders, pace)]
            }
            None => self.stages.iter().map(|size| stage(size.name(), size.orders(), Pace::AtOnce)).collect(),
        };
        let measured: u32 = stages.iter().map(|stage| stage.orders).sum();
        let warm_up = self.warm_up.unwrap_or(measured.min(200));
        Plan { warm_up, stages, patience: Duration::from_secs(self.patience) }
    }
}

impl Size {
    fn name(self) -> &'static str {
        match self {
            Size::Light => "light",
            Size::Medium => "medium",
            Size::Heavy => "heavy",
        }
    }

    fn orders(self) -> u32 {
        match self {
            Size::Light => 50,
            Size::Medium => 200,
            Size::Heavy => 1_000,
        }
    }
}

/// Measured programs log only warnings and errors.
pub(super) fn quiet(options: Options) -> Options {
    options.setting_of_all("RUST_LOG", "warn")
}

/// Runs the load; returns true if every order ended, and the audit holds afterwards.
async fn measure(plan: &Plan, stack: &mut Stack, reporter: &Reporter) -> anyhow::Result<bool> {
    let setting = setting(stack).await?;
    let stages = load::run(plan, stack, reporter).await?;
    report::show(&stages);
    println!("{}", setting.line());
    let caution = caution(stack.broker());
    if let Some(caution) = &caution {
        println!("{caution}");
    }

    let step = reporter.step("auditing all databases, the gateway and Kafka");
    let audited = audit::run(stack.environment(), plan.patience).await?;
    step.done("audited");
    operations::report::audit(&audited);
    let report =
        Report { command: command_line(), setting, caution, summary: Vec::new(), stages, audit_holds: audited.holds() };
    let written = report.write(&directory(stack, "load")?)?;
    println!();
    println!("pictures: {}", written.page.display());
    println!("figures:  {}", written.json.display());
    Ok(report.holds())
}

/// The context of the figures: machine, broker and database.
pub(super) async fn setting(stack: &Stack) -> anyhow::Result<Setting> {
    let (broker, database) = stack.versions();
    tokio::task::spawn_blocking(move || Setting::find(broker, database)).await?
}

/// Directory for the run's files, below its state directory.
pub(super) fn directory(stack: &Stack, name: &str) -> anyhow::Result<PathBuf> {
    let state = match stack.state() {
        Some(state) => state.clone(),
        None => StateDir::create()?,
    };
    let logs = state.logs();
    Ok(logs.parent().context("the log directory has no parent")?.join(name))
}

pub(super) fn command_line() -> String {
    std::iter::once("scenarios".to_owned()).chain(std::env::args().skip(1)).collect::<Vec<_>>().join(" ")
}

fn caution(broker: Broker) -> Option<String> {
    (broker == Broker::Embedded).then(|| {
        "The embedded broker lives in the runner's memory and writes nothing to a disk: these figures are not a broker's. \
         Take --broker kafka for figures that count."
            .to_owned()
    })
}

fn positive(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| format!("`{text}` is not a number"))?;
    if rate.is_finite() && rate > 0.0 { Ok(rate) } else { Err("a rate is more than 0".to_owned()) }
}
