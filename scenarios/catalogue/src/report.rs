//! Prints plays and audits for people to read.

use std::time::Duration;

use events::OrderId;
use operations::{audit::Report, report::mark, timeline};
use owo_colors::{OwoColorize, Stream::Stdout};

use crate::{Scenario, check::Check, play::Play, stage::Stage};

/// Maximum number of timelines shown for one scenario.
const TIMELINES: usize = 3;

/// Result of a scenario, or of the audit.
#[derive(Debug, Clone)]
pub struct Verdict {
    pub name: String,
    pub story: String,
    pub checks: Vec<Check>,
    pub shown: Vec<OrderId>,
    pub orders: Vec<OrderId>,
    pub took: Duration,
}

impl Verdict {
    pub fn of_play(scenario: Scenario, play: Play, took: Duration) -> Self {
        let (checks, shown, orders) = play.into_parts();
        Verdict { name: scenario.name.into(), story: scenario.story.into(), checks, shown, orders, took }
    }

    /// The audit's result as a verdict.
    pub fn of_audit(report: &Report) -> Self {
        let checks = report
            .invariants
            .iter()
            .map(|invariant| Check {
                what: invariant.what.into(),
                failure: (!invariant.findings.is_empty()).then(|| format!("{} findings", invariant.findings.len())),
            })
            .collect();
        Verdict {
            name: "invariants".into(),
            story: "everything agrees, in every order and in sum".into(),
            checks,
            shown: Vec::new(),
            orders: Vec::new(),
            took: Duration::ZERO,
        }
    }

    /// Counts the audit's findings about its orders.
    pub fn hear(&mut self, report: &Report) {
        let findings: Vec<&str> = report.about(&self.orders).into_iter().map(|finding| finding.what.as_str()).collect();
        self.checks.push(Check {
            what: "the audit has no complaint about its orders".into(),
            failure: (!findings.is_empty()).then(|| findings.join("; ")),
        });
    }

    pub fn passed(&self) -> bool {
        self.checks.iter().all(|check| check.failure.is_none())
    }
}

/// Prints a scenario: its timelines, and its checks.
pub fn scenario(verdict: &Verdict, stage: &Stage) {
    println!();
    println!("{}  {}", verdict.name.if_supports_color(Stdout, |text| text.bold()), verdict.story);
    for order in verdict.shown.iter().take(TIMELINES) {
        println!("  order {order}");
        for line in timeline::lines(&stage.listener.of(*order)) {
            println!("  {line}");
        }
    }
    if verdict.shown.is_empty() && !verdict.orders.is_empty() {
        println!("  {} orders", verdict.orders.len());
    }
    failures(verdict);
    let met = verdict.checks.iter().filter(|check| check.failure.is_none()).count();
    println!(
        "  {} {met} of {} checks, {:.1} s",
        mark(verdict.passed()),
        verdict.checks.len(),
        verdict.took.as_secs_f64()
    );
}

fn failures(verdict: &Verdict) {
    for check in &verdict.checks {
        if let Some(failure) = &check.failure {
            println!("  {} {}: {failure}", mark(false), check.what);
        }
    }
}

/// Prints the summary: failures and totals. Returns true if all passed.
pub fn tally(verdicts: &[Verdict]) -> bool {
    let (passed, failed): (Vec<&Verdict>, Vec<&Verdict>) = verdicts.iter().partition(|verdict| verdict.passed());
    println!();
    for verdict in &failed {
        println!("{} {}", mark(false), verdict.name);
        failures(verdict);
    }
    println!("{} passed, {} failed", passed.len(), failed.len());
    failed.is_empty()
}
