//! The audit: do all databases, the gateway and Kafka agree, for every order and in total?
//!
//! It reads everything and changes nothing. First it waits, within a bound, for the system to come to rest, because what is in
//! flight cannot be judged.

mod agreement;
mod delivered;
mod dossier;
mod erased;
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
use futures::future::LocalBoxFuture;

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

/// A violation of an invariant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The order concerned, if there is one.
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

/// One invariant, and its violations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invariant {
    pub what: &'static str,
    /// What was examined, in words: an audit of nothing proves nothing.
    pub looked_at: String,
    pub findings: Vec<Finding>,
}

/// Result of the audit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    pub invariants: Vec<Invariant>,
}

impl Report {
    /// Tells whether every invariant holds.
    pub fn holds(&self) -> bool {
        self.invariants.iter().all(|invariant| invariant.findings.is_empty())
    }

    /// The report without the events known to be forged in the name of these orders, and the number of findings left out. What
    /// services did in response to such an event remains a finding.
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

    /// Findings about these orders.
    pub fn about(&self, orders: &[OrderId]) -> Vec<&Finding> {
        let findings = self.invariants.iter().flat_map(|invariant| &invariant.findings);
        findings.filter(|finding| finding.order.is_some_and(|order| orders.contains(&order))).collect()
    }
}

/// Audits everything, after waiting at most `patience` for the system to come to rest.
///
/// # Errors
/// If something cannot be read. Anything read and found wrong is a finding.
pub async fn run(environment: &Environment, patience: Duration) -> anyhow::Result<Report> {
    Ok(run_since(environment, patience, Before::Forgotten).await?.0)
}

/// As [`run`], but skips what `seal` says was verified and has not changed since. Also returns the seal for the next run.
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

/// Boxed, as [`look`] is, so that it is compiled here and not in each program and test.
fn run_since(
    environment: &Environment,
    patience: Duration,
    before: Before,
) -> LocalBoxFuture<'_, anyhow::Result<(Report, Option<Seal>)>> {
    Box::pin(async move {
        let databases = Databases::of(environment)?;
        let groups = Groups::of_the_shop(&environment.brokers)?;
        let at_rest = rest::reached(environment, &databases, &groups, patience).await?;
        let Judged { mut invariants, seal } = whole::judge(environment, &databases, None, before).await?;
        invariants.insert(0, at_rest);
        Ok((Report { invariants }, seal))
    })
}

/// Waits at most `patience` until the system rests, parked work excepted. If it does not, [`run`] reports it.
///
/// # Errors
/// If a database or the broker does not answer.
pub async fn wait_for_rest(environment: &Environment, patience: Duration) -> anyhow::Result<()> {
    let databases = Databases::of(environment)?;
    rest::wait(environment, &databases, &Groups::of_the_shop(&environment.brokers)?, patience).await
}

/// Audits a system that is not at rest: defers what is in flight, and skips what `seal` says was verified and has not changed
/// since.
///
/// # Errors
/// As [`run`].
pub fn look(
    environment: &Environment,
    seal: Option<Arc<Seal>>,
) -> LocalBoxFuture<'_, anyhow::Result<(Report, Option<Seal>)>> {
    Box::pin(async move {
        let databases = Databases::of(environment)?;
        let places = Groups::of_the_shop(&environment.brokers)?.places(&databases).await?;
        let before = seal.map_or(Before::Nothing, Before::Sealed);
        let Judged { invariants, seal } = whole::judge(environment, &databases, Some(places), before).await?;
        Ok((Report { invariants }, seal))
    })
}

/// Everything that can be judged from rows alone, whatever their source: the services' and the gateway's.
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

/// Everything that can be judged from balances and stock alone.
pub fn books(ledgers: &Ledgers) -> Vec<Invariant> {
    vec![
        money::conserved(None, ledgers),
        money::nothing_held(&Steps::default(), ledgers),
        stock::nothing_held(ledgers),
        stock::conserved(ledgers),
    ]
}
