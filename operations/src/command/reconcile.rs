//! `scenarios reconcile`: finds disagreements, and repairs them.

#![expect(clippy::print_stdout, reason = "the findings are the command's output")]

use std::{process::ExitCode, time::Duration};

use clap::Args;

use crate::{
    audited::Audited,
    command::running,
    databases::Databases,
    operator::Operator,
    reconcile::{self, Case, Outcome, Repairs, Scope},
};

/// Finds stuck orders, steps that disagree with their order, events that Kafka has lost, reservations without an order, buyers
/// without a mail and charges without a payment, and says what would repair them.
///
/// The system may keep running: a case has to be seen twice, and everything in flight at the first look has to arrive before
/// the second. The exit code is 1 if a disagreement is left, if a repair failed, or if the result is uncertain.
#[derive(Debug, Args)]
pub struct Reconcile {
    /// Carry out the repairs, through events and the gateway's API; no row is edited. A repair is made only if its case still
    /// holds just before, and counts only if it still holds when the repair arrives.
    #[arg(long)]
    repair: bool,
    /// Maximum time to wait for events in flight, in seconds; if they take longer, nothing is repaired.
    #[arg(long, default_value_t = 15)]
    wait: u64,
    /// Time for which an order is left alone after its deadline and after its last event, in seconds.
    #[arg(long, default_value_t = 60)]
    grace: u32,
}

impl Reconcile {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let environment = running()?;
        let databases = Databases::of(&environment)?;
        let patience = Duration::from_secs(self.wait);
        let http = reconcile::client(&environment.transport)?;
        let scope =
            Scope { environment: &environment, databases: &databases, http: &http, patience, grace: self.grace.into() };
        let picture = scope.find().await?;
        if !self.repair {
            picture.cases.iter().for_each(|case| show(case, "would "));
            println!("{} findings; nothing was changed", picture.cases.len());
            if let Err(why) = &picture.whole {
                println!("what is still on its way may be among them: {why}");
                return Ok(ExitCode::FAILURE);
            }
            return Ok(verdict(&picture.cases));
        }
        let audited = Audited::of_the_process(&environment.brokers, Operator::of_process(None)?)?;
        Ok(report(&Repairs::new(scope, audited)?.carry_out(picture).await))
    }
}

fn report(outcome: &Outcome) -> ExitCode {
    let Outcome { done, moved_on, touched: _, failed, left, refused } = outcome;
    done.iter().for_each(|case| show(case, "did "));
    moved_on.iter().for_each(|case| show(case, "is settled by itself, did not "));
    for (case, why) in failed {
        show(case, "failed to ");
        println!("      {why}");
    }
    if !left.is_empty() {
        println!("left:");
        left.iter().for_each(|case| show(case, "would "));
    }
    println!("{} repairs, {} failed, {} findings left", done.len(), failed.len(), left.len());
    if let Some(why) = refused {
        println!("no more was done, and what is left may be out of date: {why}");
    }
    if refused.is_some() || !failed.is_empty() { ExitCode::FAILURE } else { verdict(left) }
}

fn verdict(left: &[Case]) -> ExitCode {
    if left.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn show(case: &Case, verb: &str) {
    let order = case.order.map_or(String::new(), |order| format!("order {order} "));
    let verb = if matches!(case.remedy, reconcile::Remedy::Person(_)) { "" } else { verb };
    println!("{order}{}\n    → {verb}{}", case.what, case.remedy);
}
