//! Chaos: a steady flow of orders with different outcomes while faults of every kind are injected. Afterwards everything has to
//! agree.
//!
//! The [`plan`] is drawn from a seed, so a run can be repeated as far as the timing of processes allows. `inject` applies a
//! [`Fault`] to the system; [`shoppers`] draws the orders, [`bad_requests`] unreadable records, [`hostile`] harmful ones;
//! `meddlers` are other parties that act at the same time. After each fault, [`probes`] measure when orders flow again, and
//! throughout the run false [`readiness`] is detected.

#![allow(clippy::print_stdout, reason = "what the runner has to say to people goes to standard output")]

pub mod bad_requests;
pub mod hostile;
pub mod plan;
pub mod probes;
pub mod readiness;
pub mod records;
pub mod recovery;
pub mod shoppers;
pub mod tally;

mod diary;
mod fault;
mod flow;
mod foreign;
mod inject;
mod kind;
mod meddlers;

use std::{path::PathBuf, time::Duration};

use anyhow::Context;
use events::OrderId;
use futures::future::LocalBoxFuture;
use operations::{audit, databases::Databases};
use testbed::{Program, Stack, until};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

pub use diary::Diary;
pub use fault::{Fault, Patience, Server};
pub use flow::Flow;
pub use kind::Kind;

pub use meddlers::Meddling;

use inject::{Ended, Ending, Injector};
use meddlers::Meddlers;
use plan::{Injection, Pace, Plan};
use probes::Probes;
use readiness::{Watch, Watched};
use recovery::Recoveries;
use tally::Tally;

/// From this duration on, a run has time for one fault after the other.
const LONG: Duration = Duration::from_secs(120);
/// Maximum time after any fault until orders flow again.
const FLOWS_WITHIN: Duration = Duration::from_secs(60);

/// Parameters of a run.
#[derive(Debug, Clone)]
pub struct Chaos {
    pub lasting: Duration,
    pub seed: u64,
    /// Orders per second.
    pub rate: u32,
    /// Time allowed for the system to come to rest afterwards.
    pub patience: Duration,
    /// The kinds of faults to inject.
    pub kinds: Vec<Kind>,
    /// Other versions of programs, which rolling changes exchange them for, in this order. Without any, a rolling change restarts
    /// a program.
    pub next: Vec<(Program, PathBuf)>,
    /// If true, faults never overlap and the meddlers are off.
    pub apart: bool,
}

/// Result of a run.
#[derive(Debug)]
pub struct Outcome {
    pub tally: Tally,
    pub audit: audit::Report,
    /// The kind of each injected fault.
    pub faults: Vec<Kind>,
    pub recoveries: Recoveries,
    /// What the meddlers did, if there were any.
    pub meddling: Option<Meddling>,
    /// False readiness, orders that did not flow again, and repairs of healthy orders.
    pub findings: Vec<String>,
}

impl Chaos {
    /// Lets orders flow, injects faults as planned, waits for rest and audits. Records every fault in the diary.
    ///
    /// # Errors
    /// If the system was not started by us, cannot be read, or does not start again. Anything wrong in it afterwards is a
    /// finding.
    pub fn run<'a>(self, stack: &'a mut Stack, diary: &'a Diary) -> LocalBoxFuture<'a, anyhow::Result<Outcome>> {
        // Boxed, so that it is compiled here and not in each test.
        Box::pin(self.carry_out(stack, diary))
    }

    async fn carry_out(self, stack: &mut Stack, diary: &Diary) -> anyhow::Result<Outcome> {
        let environment = stack.environment().clone();
        shoppers::enrich(&environment).await?;
        let programs = stack.programs().context("chaos needs a system that it started itself")?;
        let (ports, pids) = (programs.ports().clone(), programs.pids());
        let watched = Watched::default();
        let watch = Watch::begin(&environment, ports, pids, diary.clone(), watched.clone()).await?;
        let flow = Flow::begin(&environment, self.seed, self.rate)?;
        let meddlers = if self.apart { None } else { Some(Meddlers::begin(&environment, self.seed, diary)?) };
        let mut course = Course {
            programs: environment.manifest.programs().collect(),
            probes: Probes::new(&environment)?,
            watched,
            diary: diary.clone(),
            passing: JoinSet::new(),
            faults: Vec::new(),
            recoveries: Recoveries::default(),
            findings: Vec::new(),
            orders: Vec::new(),
        };
        let changing = self.next.iter().map(|(program, _)| *program).collect();
        let mut injector = Injector::new(stack, self.seed, diary.clone(), self.next.into_iter().collect())?;
        let begun = Instant::now();
        sleep(Duration::from_secs(1)).await;
        let plan = Plan::new(&environment.manifest, self.seed, self.kinds, self.lasting >= LONG).changing(changing);
        for step in if self.apart { plan.apart() } else { plan } {
            course.take(&mut injector, step).await?;
            if begun.elapsed() >= self.lasting {
                break;
            }
        }
        let forgeries = injector.into_forgeries();
        course.settle().await?;
        diary.note("no more faults; waiting for the last orders");

        course.orders.extend(flow.end(self.patience).await.context("publishing orders")?);
        let databases = Databases::of(&environment)?;
        let tally = Tally::settled(&databases, &course.orders, self.patience).await?;
        // A slow system reads some hostile records late; at rest it has read them all.
        audit::wait_for_rest(&environment, self.patience).await?;
        let meddling = match meddlers {
            Some(meddlers) => {
                // Parked work of real orders is still settled by the simulated operator; the audit reports what is left.
                let _in_time = until("no order that was placed is parked", self.patience, async || {
                    foreign::is_all_that_is_parked(&databases).await.is_ok_and(|is_all| is_all).then_some(())
                })
                .await;
                Some(meddlers.end().await?)
            }
            None => None,
        };
        foreign::resolve(&databases, diary, self.patience).await.context("resolving parked work of unknown orders")?;
        let audit = audit::run(&environment, self.patience).await?;
        if let Some(meddling) = &meddling {
            course.findings.extend(meddling.findings(&environment, &databases, &forgeries).await?);
        }
        let (audit, forged) = audit.without(&forgeries);
        if forged > 0 {
            diary.note(format!("the audit has found {forged} traces of events that chaos forged"));
        }
        course.findings.extend(watch.end().await?);
        let Course { faults, recoveries, findings, .. } = course;
        Ok(Outcome { tally, audit, faults, recoveries, meddling, findings })
    }
}

/// State of a run while faults are injected.
struct Course {
    programs: Vec<Program>,
    probes: Probes,
    watched: Watched,
    diary: Diary,
    /// Faults that overlap with the next ones. Each yields its kind when it has ended, unless it could not be injected here.
    passing: JoinSet<anyhow::Result<Option<Kind>>>,
    faults: Vec<Kind>,
    recoveries: Recoveries,
    findings: Vec<String>,
    /// The probes' orders.
    orders: Vec<OrderId>,
}

impl Course {
    async fn take(
        &mut self,
        injector: &mut Injector<'_>,
        Injection { fault, pace, pause }: Injection,
    ) -> anyhow::Result<()> {
        if pace == Pace::Apart && !self.passing.is_empty() {
            // What remains of overlapping faults would otherwise count as part of this one's recovery.
            self.settle().await?;
        }
        let (kind, programs) = (fault.kind(), fault.programs(&self.programs).to_vec());
        self.watched.faults_on(&programs, true);
        let ending = injector.begin(fault).await?;
        match pace {
            Pace::Overlapping => {
                let (watched, diary) = (self.watched.clone(), self.diary.clone());
                self.passing.spawn(async move {
                    let injected = wait_out(ending, &diary).await?;
                    watched.faults_on(&programs, false);
                    Ok(injected.then_some(kind))
                });
            }
            Pace::Apart => {
                self.measure(kind, ending).await?;
                self.watched.faults_on(&programs, false);
            }
        }
        sleep(pause).await;
        Ok(())
    }

    /// Waits until the fault has ended and orders flow again, and records the time.
    async fn measure(&mut self, kind: Kind, ending: Ending) -> anyhow::Result<()> {
        let (since, rest) = match ending.await? {
            Ended::At(since, rest) => (since, rest),
            Ended::LeftOut(why) => {
                self.diary.note(format!("  left out: {why}"));
                return Ok(());
            }
        };
        self.faults.push(kind);
        let (flows, orders) = self.probes.flow(since, FLOWS_WITHIN).await;
        self.orders.extend(orders);
        match flows {
            Ok(took) => {
                self.diary.note(format!("  orders flow again after {:.1} s", took.as_secs_f64()));
                self.recoveries.note(kind, took);
            }
            Err(error) => {
                let finding = format!("orders do not flow again after {kind}: {error:#}");
                self.diary.note(format!("  FOUND: {finding}"));
                self.findings.push(finding);
            }
        }
        match rest {
            Some(rest) => rest.await,
            None => Ok(()),
        }
    }

    /// Waits until all faults have ended and orders flow.
    async fn settle(&mut self) -> anyhow::Result<()> {
        while let Some(ended) = self.passing.join_next().await {
            self.faults.extend(ended??);
        }
        let (flows, orders) = self.probes.flow(Instant::now(), FLOWS_WITHIN).await;
        self.orders.extend(orders);
        if let Err(error) = flows {
            self.findings.push(format!("orders do not flow again when all faults have ended: {error:#}"));
        }
        Ok(())
    }
}

/// Waits until a fault has ended; false if it could not be injected here.
async fn wait_out(ending: Ending, diary: &Diary) -> anyhow::Result<bool> {
    match ending.await? {
        Ended::At(_, Some(rest)) => rest.await.map(|()| true),
        Ended::At(_, None) => Ok(true),
        Ended::LeftOut(why) => {
            diary.note(format!("  left out: {why}"));
            Ok(false)
        }
    }
}

impl Outcome {
    /// Tells whether every order ended once, everything agrees and no readiness was false. Recovery times are not judged here.
    pub fn holds(&self) -> bool {
        self.audit.holds() && self.tally.holds() && self.findings.is_empty()
    }

    /// Number of kills.
    pub fn kills(&self) -> usize {
        let kills = [Kind::KillService, Kind::KillRelay, Kind::KillGateway, Kind::LostHost];
        self.faults.iter().filter(|kind| kills.contains(kind)).count()
    }
}
