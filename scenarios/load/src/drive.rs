//! Runs a plan, stage by stage.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures::future::LocalBoxFuture;
use testbed::{Reporter, Stack};

use super::{
    cast,
    ear::Ends,
    figures::Figures,
    mix::{Fate, Mix},
    plan::{Pace, Plan, Stage},
    processes::Processes,
    progress::Progress,
    sender::{Requests, Sender},
    tally::Tally,
};

/// Interval at which progress is shown.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Progress updates per reading of the processes' memory, which costs them time.
const LOOK_AT_MEMORY_EVERY: u32 = 10;

/// Seeds, warms up, and measures every stage of `plan`, one after another.
///
/// # Errors
/// If the system cannot be reached. Orders that do not end are counted in the figures.
pub fn run<'a>(
    plan: &'a Plan,
    stack: &'a Stack,
    reporter: &'a Reporter,
) -> LocalBoxFuture<'a, anyhow::Result<Vec<Figures>>> {
    // Boxed, so that it is compiled here and not in each test.
    Box::pin(measured(plan, stack, reporter))
}

async fn measured(plan: &Plan, stack: &Stack, reporter: &Reporter) -> anyhow::Result<Vec<Figures>> {
    let step = reporter.step("putting ten thousand buyers and a thousand products in place");
    let cards = plan.stages.iter().any(|stage| stage.choice.card || stage.mix.has(Fate::Card));
    cast::seed(stack.environment(), cards).await?;
    step.done("ten thousand buyers and a thousand products are in place");
    let processes = Processes::of(stack);
    if let (Some(first), true) = (plan.stages.first(), plan.warm_up > 0) {
        let step = reporter.step(format!("warming up with {} orders", plan.warm_up));
        let pace = Pace::InFlight(20);
        let name = "warm-up".to_owned();
        let warm_up = Stage { name, orders: plan.warm_up, pace, mix: Mix::only(Fate::Happy), choice: first.choice };
        let figures = measure(&warm_up, plan.patience, stack, &processes, None).await?;
        step.done(format!("warmed up with {} orders, which are in no figure", figures.orders));
    }
    let mut all = Vec::new();
    for stage in &plan.stages {
        let step = reporter.step(format!("{}: {} orders, {}", stage.name, stage.orders, stage.pace));
        let figures = measure(stage, plan.patience, stack, &processes, Some(reporter)).await?;
        step.done(format!(
            "{}: {} success, {} refused, {} failed, {:.0} sagas/s",
            stage.name,
            figures.success,
            figures.refusals(),
            figures.failures(),
            figures.sagas_per_second
        ));
        all.push(figures);
    }
    Ok(all)
}

/// One stage, from its first request to the last end, or to the time limit.
async fn measure(
    stage: &Stage,
    patience: Duration,
    stack: &Stack,
    processes: &Processes,
    reporter: Option<&Reporter>,
) -> anyhow::Result<Figures> {
    let (brokers, credentials) = (&stack.environment().brokers, &stack.environment().credentials);
    let tally = Arc::new(Tally::new(stage.orders));
    let requests = Requests::connect(brokers, credentials.clone(), stage.pace, &tally).await?;
    let ear = Ends::heard(brokers, &tally).await?;
    let mut meter = processes.meter();
    let mut progress = reporter.map(|reporter| Progress::of(stage, reporter));
    tally.begin();
    let sender = Sender::start(requests, stage.clone(), Arc::clone(&tally))?;
    let mut ticks = 0_u32;
    let mut last_sent = (Instant::now(), 0);
    loop {
        let count = tally.count();
        if let Some(progress) = &mut progress {
            progress.show(count);
        }
        if count.sent > last_sent.1 {
            last_sent = (Instant::now(), count.sent);
        }
        if count.ended() >= stage.orders || last_sent.0.elapsed() > patience {
            break;
        }
        if ticks.is_multiple_of(LOOK_AT_MEMORY_EVERY) {
            meter.tick();
        }
        ticks += 1;
        tokio::time::sleep(LOOK_EVERY).await;
    }
    let usage = meter.read();
    drop(progress);
    // Dropping either waits for its thread.
    tokio::task::spawn_blocking(move || drop((sender, ear))).await?;
    Ok(Figures::of(stage, &tally, usage))
}
