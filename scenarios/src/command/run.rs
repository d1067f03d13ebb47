//! `scenarios run`: plays scenarios and judges them.

use std::{process::ExitCode, sync::Arc, time::Duration};

use anyhow::Context;
use catalogue::{
    Scenario,
    play::Play,
    report::{self, Verdict},
    stage::Stage,
};
use clap::Args;
use futures::{StreamExt, stream::FuturesUnordered};
use operations::audit;
use saga::shutdown::Shutdown;
use testbed::{Broker, Options, PARTITIONS, Reporter, Stack, seed};
use tokio::time::Instant;

use super::system::System;

/// Runs scenarios and judges them by their events in order, the rows in every database, and the invariants.
///
/// Starts its own system, unless KAFKA_BROKERS and DATABASE_URL_… name a running one.
#[derive(Debug, Args)]
pub struct Run {
    /// Names of scenarios, or `all`.
    #[arg(required = true)]
    names: Vec<String>,
    #[command(flatten)]
    system: System,
    /// Broker to start; embedded by default.
    #[arg(long, value_enum)]
    broker: Option<Broker>,
    /// Maximum duration of a saga before its scenario fails, in seconds.
    #[arg(long, default_value_t = 30)]
    patience: u64,
    /// Remove a service's reaction to an event as a drill, such as account:PaymentVoided; a scenario has to fail.
    #[arg(long, value_name = "SERVICE:EVENT")]
    without: Option<String>,
}

impl Run {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let scenarios = catalogue::chosen(&self.names)?;
        let shutdown = Shutdown::on_signals()?;
        let reporter = Reporter::on_stderr();
        let patience = Duration::from_secs(self.patience);
        let options = self.options()?;
        let verdicts = testbed::with(options, &reporter, &shutdown, async |stack| {
            play(stack, &scenarios, patience, &reporter).await
        })
        .await?;
        let Some(verdicts) = verdicts else { return Ok(ExitCode::FAILURE) };
        Ok(if report::tally(&verdicts) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn options(&self) -> anyhow::Result<Options> {
        let options = Options { partitions: PARTITIONS, ..self.system.options(self.broker, Broker::Embedded)? };
        let Some(without) = &self.without else { return Ok(options) };
        let (service, event) =
            without.split_once(':').context("--without takes SERVICE:EVENT, such as account:PaymentVoided")?;
        let program = options.manifest.program(service);
        let program = program.with_context(|| format!("there is no service `{service}`"))?;
        Ok(options.setting(program, "WITHOUT_REACTION_TO", event).setting(program, "DRILLS", "allowed"))
    }
}

/// Runs all scenarios at once, shows each as it ends, and then audits the system.
async fn play(
    stack: &Stack,
    scenarios: &[Scenario],
    patience: Duration,
    reporter: &Reporter,
) -> anyhow::Result<Vec<Verdict>> {
    let environment = stack.environment();
    seed::well_known(environment).await?;
    let stage = Stage::new(environment, patience).await?;
    let mut plays: FuturesUnordered<_> = scenarios.iter().map(|scenario| one(*scenario, stage.clone())).collect();
    let step = reporter.step(format!("playing {} scenarios at once", scenarios.len()));
    let mut verdicts = Vec::new();
    while let Some(verdict) = plays.next().await {
        reporter.suspend(|| report::scenario(&verdict, &stage));
        verdicts.push(verdict);
    }
    step.done(format!("{} scenarios played", scenarios.len()));

    let step = reporter.step("auditing all databases, the gateway and Kafka");
    let audited = audit::run(environment, patience).await?;
    step.done("audited");
    for verdict in &mut verdicts {
        verdict.hear(&audited);
    }
    operations::report::audit(&audited);
    verdicts.push(Verdict::of_audit(&audited));
    Ok(verdicts)
}

async fn one(scenario: Scenario, stage: Arc<Stage>) -> Verdict {
    let started = Instant::now();
    let mut play = Play::new(stage);
    if let Err(error) = (scenario.play)(&mut play).await {
        play.check("it can be played to its end", || Some(format!("{error:#}")));
    }
    Verdict::of_play(scenario, play, started.elapsed())
}
