//! The audit: whether all databases, the gateway and Kafka agree, in every order and in sum.
//!
//! It reads everything and changes nothing. First it waits, within a bound, for the system to come to rest: what is under
//! way cannot be judged.

mod agreement;
mod delivered;
mod dossier;
mod further;
mod gateway;
mod judge;
mod lag;
mod ledgers;
mod mail_system;
mod mails;
mod money;
mod reading;
mod requests;
mod rest;
mod retrace;
mod said;
mod seal;
mod spill;
mod steps;
mod stock;
mod tables;
mod topics;
mod watch;
mod whole;

use std::{collections::HashSet, sync::Arc, time::Duration};

use events::OrderId;

use self::{seal::Before, whole::Judged};
use crate::{Environment, databases::Databases};

pub use agreement::steps_agree;
pub use delivered::{Delivered, MailRetention};
pub use dossier::{Dossier, Item, Logged, Row, Written};
pub use gateway::{Booking, ledger_is_whole};
pub use judge::{Judgement, Known, files, on_its_way};
pub use lag::{Groups, Place, Places};
pub use ledgers::{BalanceRow, Ledgers, StockRow};
pub use reading::{addresses, read_database, read_within};
pub use retrace::Buyers;
pub use said::Kept;
pub use seal::{Changes, Doubts, Marks, Rows, Seal, Share, Tally, Void, changes, identity};
pub use steps::{OrderRow, Reservation, Steps, Transaction};
pub use tables::Table;
pub use topics::Topics;
pub use watch::{News, Watch};

/// Something that should not be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The order that it is about, if it is about one.
    pub order: Option<OrderId>,
    pub what: String,
}

impl Finding {
    fn of(order: OrderId, what: impl Into<String>) -> Self {
        Finding { order: Some(order), what: what.into() }
    }

    fn general(what: impl Into<String>) -> Self {
        Finding { order: None, what: what.into() }
    }
}

/// One invariant, and where it does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invariant {
    pub what: &'static str,
    /// What was looked at, in words: an audit of nothing proves nothing.
    pub looked_at: String,
    pub findings: Vec<Finding>,
}

/// What the audit has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    pub invariants: Vec<Invariant>,
}

impl Report {
    /// Tells whether every invariant holds.
    pub fn holds(&self) -> bool {
        self.invariants.iter().all(|invariant| invariant.findings.is_empty())
    }

    /// The report without the events that somebody is known to have forged in the name of these orders, and how many findings
    /// those were. What services have made of such an event stays a finding.
    pub fn without(mut self, orders: &HashSet<OrderId>) -> (Self, usize) {
        let mut left_out = 0;
        let about_events = |invariant: &&mut Invariant| [judge::SAID, judge::LED_TO].contains(&invariant.what);
        for invariant in self.invariants.iter_mut().filter(about_events) {
            let all = invariant.findings.len();
            invariant.findings.retain(|finding| finding.order.is_none_or(|order| !orders.contains(&order)));
            left_out += all - invariant.findings.len();
        }
        (self, left_out)
    }

    /// What was found about these orders.
    pub fn about(&self, orders: &[OrderId]) -> Vec<&Finding> {
        let findings = self.invariants.iter().flat_map(|invariant| &invariant.findings);
        findings.filter(|finding| finding.order.is_some_and(|order| orders.contains(&order))).collect()
    }
}

/// Audits everything, after waiting for rest for `patience` at most.
///
/// # Errors
/// If something cannot be read. What is read and wrong is a finding.
pub async fn run(environment: &Environment, patience: Duration) -> anyhow::Result<Report> {
    Ok(run_since(environment, patience, Before::Forgotten).await?.0)
}

/// As [`run`], without going again through what `seal` says was verified and has not been changed since; with the seal for the
/// next time.
///
/// # Errors
/// As [`run`].
pub async fn run_sealing(
    environment: &Environment,
    patience: Duration,
    seal: Option<Arc<Seal>>,
) -> anyhow::Result<(Report, Option<Seal>)> {
    run_since(environment, patience, seal.map_or(Before::Nothing, Before::Sealed)).await
}

async fn run_since(
    environment: &Environment,
    patience: Duration,
    before: Before,
) -> anyhow::Result<(Report, Option<Seal>)> {
    let databases = Databases::of(environment)?;
    let groups = Groups::of(environment, &databases).await?;
    let at_rest = rest::reached(&databases, &groups, patience).await?;
    let Judged { mut invariants, seal } = whole::judge(environment, &databases, None, before).await?;
    invariants.insert(0, at_rest);
    Ok((Report { invariants }, seal))
}

/// Waits until the system rests, parked work apart, for `patience` at most; whether it does is for [`run`] to say.
///
/// # Errors
/// If a database or the broker does not answer.
pub async fn wait_for_rest(environment: &Environment, patience: Duration) -> anyhow::Result<()> {
    let databases = Databases::of(environment)?;
    rest::wait(&databases, &Groups::of(environment, &databases).await?, patience).await
}

/// Audits a system that does not rest: what is on its way is left out, and so is what `seal` says was verified and has not been
/// changed since.
///
/// # Errors
/// As [`run`].
pub async fn look(environment: &Environment, seal: Option<Arc<Seal>>) -> anyhow::Result<(Report, Option<Seal>)> {
    let databases = Databases::of(environment)?;
    let places = Groups::of(environment, &databases).await?.places(&databases).await?;
    let before = seal.map_or(Before::Nothing, Before::Sealed);
    let Judged { invariants, seal } = whole::judge(environment, &databases, Some(places), before).await?;
    Ok((Report { invariants }, seal))
}

/// What can be judged on rows alone, wherever they come from: the services' and the gateway's.
pub fn judge(steps: &Steps, ledgers: &Ledgers, bookings: &[Booking]) -> Vec<Invariant> {
    let mut paid = money::Paid::default();
    paid.add(steps);
    vec![
        agreement::every_order_ends(steps),
        agreement::steps_agree(steps),
        agreement::nothing_without_an_order(steps),
        money::nothing_held(steps, ledgers),
        money::conserved(Some(&paid), ledgers),
        stock::nothing_held(ledgers),
        stock::conserved(ledgers),
        mails::one_each(steps),
        gateway::agrees(steps, bookings),
    ]
}

/// What can be judged on balances and stock alone.
pub fn books(ledgers: &Ledgers) -> Vec<Invariant> {
    vec![
        money::conserved(None, ledgers),
        money::nothing_held(&Steps::default(), ledgers),
        stock::nothing_held(ledgers),
        stock::conserved(ledgers),
    ]
}
