//! `scenarios reconcile`: finds what does not agree, and mends it.

#![expect(clippy::print_stdout, reason = "the findings are the command's output")]

use std::{process::ExitCode, time::Duration};

use clap::Args;

use crate::{
    audit,
    command::seed::running,
    databases::Databases,
    reconcile::{self, Case, Repairs},
};

/// Finds orders that are stuck, steps that disagree with their order, events that Kafka has lost, reservations without an
/// order and charges without a payment, and says what would mend them.
///
/// Exit code 1 if something is left that does not agree.
#[derive(Debug, Args)]
pub struct Reconcile {
    /// Does it, through events and the gateway's own interface; nobody's rows are edited.
    #[arg(long)]
    repair: bool,
    /// Seconds to wait for the system to come to rest, and then for the effect of each repair.
    #[arg(long, default_value_t = 15)]
    wait: u64,
}

impl Reconcile {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let environment = running()?;
        let databases = Databases::of(&environment)?;
        let patience = Duration::from_secs(self.wait);
        audit::wait_for_rest(&databases, patience).await?;
        let cases = reconcile::find(&environment, &databases).await?;
        if !self.repair {
            cases.iter().for_each(|case| show(case, "would "));
            println!("{} findings; nothing was changed", cases.len());
            return Ok(verdict(&cases));
        }
        let outcome = Repairs::new(&environment, &databases, patience)?.carry_out(cases).await?;
        outcome.done.iter().for_each(|case| show(case, "did "));
        if !outcome.left.is_empty() {
            println!("left:");
            outcome.left.iter().for_each(|case| show(case, "would "));
        }
        println!("{} repairs, {} findings left", outcome.done.len(), outcome.left.len());
        Ok(verdict(&outcome.left))
    }
}

fn verdict(left: &[Case]) -> ExitCode {
    if left.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn show(case: &Case, verb: &str) {
    let order = case.order.map_or(String::new(), |order| format!("order {order} "));
    let verb = if matches!(case.remedy, reconcile::Remedy::Person(_)) { "" } else { verb };
    println!("{order}{}\n    → {verb}{}", case.what, case.remedy);
}
