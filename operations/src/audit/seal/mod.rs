//! Not going through again what was verified and has not been changed since.
//!
//! An order is sealed when it has ended, nothing is wrong with it and nothing more is expected of it. What shows later that it
//! is as it was costs little to look at: PostgreSQL tells of every row which transaction has written it, so that rows written
//! since, and rows that are missing, stand out; of Kafka's logs, which only grow, it is enough to read what has come; the
//! gateway's ledger still begins as it did; and the mails' files are those that were there. What has changed, and all that
//! shares three digits with it where it cannot be told apart, is gone through as if it had never been.
//!
//! Where the ground itself has changed (another program, a database restored from a backup, a topic made anew), nothing of a
//! seal holds, and everything is gone through.

mod evidence;
mod file;
mod log;
mod rows;
mod tally;

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
};

use events::OrderId;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    Booking, Finding,
    dossier::{Dossier, Logged},
    reading::{NOBODYS, Reading, Survey},
    tables::Table,
};
use crate::Database;

pub(super) use log::{Log, partition_counts};
use rows::Place;
pub use rows::{Changes, Marks, Rows, changes, identity};
pub use tally::{Share, Tally};

/// What was verified, and what to know it by.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Seal {
    /// The domain of the addresses that buyers have by default.
    pub(super) mail_domain: String,
    /// By name.
    pub(super) databases: BTreeMap<String, Rows>,
    pub(super) log: Log,
    pub(super) ledger: Beginning,
    /// Of the mails, if it can be told what has become of them.
    pub(super) mails: Option<Tally>,
    /// The orders that are not sealed, with what Kafka has of them.
    pub(super) open: BTreeMap<OrderId, Vec<Logged>>,
    /// Names in outboxes that are no orders', or are an order's otherwise than we write them.
    pub(super) odd_names: BTreeSet<String>,
    /// Orders of which there was nothing but requests that were answered otherwise.
    forgotten: BTreeSet<OrderId>,
    /// Number of orders that are sealed.
    pub(super) sealed: u64,
}

impl Seal {
    /// After a look, with the orders that it has left open; None if these are too many to be remembered.
    pub(super) fn new(reading: Reading, open: Open) -> Option<Self> {
        if open.orders.len() > MOST_OPEN {
            tracing::warn!(orders = open.orders.len(), "too many orders are open or wrong: nothing is sealed");
            return None;
        }
        let Reading { known, topics, bookings, mails, surveys, .. } = reading;
        let is_sealed = |order: &OrderId| !open.orders.contains_key(order);
        let mails = mails.map(|mails| {
            let mut tally = Tally::default();
            let sealed = mails.stamps().iter().filter(|(order, _)| is_sealed(order));
            sealed.for_each(|(order, stamp)| tally.add(Share::of(*order), *stamp));
            tally
        });
        let databases = surveys.into_iter().map(|Survey { database, marks, identity, mut changes }| {
            for (place, tally) in &mut changes.rows {
                open.rows.get(place).into_iter().for_each(|open| tally.take_all(open));
            }
            (database.name().to_owned(), Rows::new(identity, marks, changes))
        });
        let databases: BTreeMap<String, Rows> = databases.collect();
        let orders = databases.get(Database::ORDERS.name());
        let orders = orders.and_then(|rows| rows.rows.get(&Place::of_table(Table::Orders)));
        Some(Seal {
            mail_domain: known.buyers.domain,
            sealed: orders.map_or(0, Tally::sum),
            databases,
            log: topics.log,
            ledger: Beginning::of(&bookings),
            mails,
            open: open.orders,
            odd_names: open.odd_names,
            forgotten: open.forgotten,
        })
    }

    pub(super) fn rows(&self, database: Database) -> Result<&Rows, Void> {
        self.databases.get(database.name()).ok_or_else(|| Void(format!("{database} was not looked at before")))
    }

    /// The names under which open orders are in the outboxes.
    fn open_names(&self) -> impl Iterator<Item = String> {
        self.open.keys().map(OrderId::to_string).chain(self.odd_names.iter().cloned())
    }

    /// Of the orders that are wanted, those of which Kafka may have more than is remembered.
    pub(super) fn forgotten(&self, wanted: &Wanted) -> impl Iterator<Item = OrderId> {
        self.forgotten.iter().copied().filter(|order| wanted.has(*order))
    }

    /// The orders that are not sealed.
    pub(super) fn open(&self) -> Doubts {
        let orders = self.open.keys().copied().chain([NOBODYS]).collect();
        Doubts { orders, names: self.open_names().collect(), shares: BTreeSet::new() }
    }
}

/// What is known from looks before this one.
#[derive(Debug, Clone)]
pub(super) enum Before {
    /// Nothing, and nothing is to be remembered.
    Forgotten,
    Nothing,
    Sealed(Arc<Seal>),
}

impl Before {
    pub(super) fn seal(&self) -> Option<&Seal> {
        match self {
            Before::Sealed(seal) => Some(seal),
            Before::Forgotten | Before::Nothing => None,
        }
    }
}

/// Orders that are remembered with all that Kafka has of them, in memory and in the file.
const MOST_OPEN: usize = 50_000;

/// Orders that are looked up one by one. Beyond that it is quicker to go through everything.
const MOST_DOUBTS: usize = 1_000_000;

/// A reason for which nothing of a seal holds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Void(pub(super) String);

/// The orders that are to be gone through.
#[derive(Debug, Clone, Default)]
pub struct Doubts {
    pub orders: HashSet<OrderId>,
    /// Names in outboxes, as they are written there.
    pub names: HashSet<String>,
    /// All orders of these shares.
    pub shares: BTreeSet<Share>,
}

impl Doubts {
    /// Tells whether they are few enough to be looked up.
    pub(super) fn check(&self) -> Result<(), Void> {
        if self.orders.len() > MOST_DOUBTS {
            return Err(Void(format!("{} orders have changed", self.orders.len())));
        }
        if self.shares.iter().any(|share| share.digits().is_none()) {
            return Err(Void("outbox rows of nobody's have changed".to_owned()));
        }
        Ok(())
    }

    /// Tells whether the order may have changed.
    pub fn has(&self, order: OrderId) -> bool {
        self.orders.contains(&order) || self.shares.contains(&Share::of(order))
    }

    pub(super) fn add(&mut self, other: Doubts) {
        self.orders.extend(other.orders);
        self.names.extend(other.names);
        self.shares.extend(other.shares);
    }
}

/// What is to be read.
#[derive(Debug, Clone)]
pub(super) enum Wanted {
    Everything,
    Only(Doubts),
}

impl Wanted {
    pub(super) fn has(&self, order: OrderId) -> bool {
        match self {
            Wanted::Everything => true,
            Wanted::Only(doubts) => doubts.has(order),
        }
    }
}

/// The beginning of a list that only grows: how long it was, and what was in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Beginning {
    count: usize,
    digest: Vec<u8>,
}

impl Beginning {
    pub(super) fn of(bookings: &[Booking]) -> Self {
        let mut all = Sha256::new();
        bookings.iter().for_each(|booking| all.update(format!("{booking:?}\n")));
        Beginning { count: bookings.len(), digest: all.finalize().to_vec() }
    }

    /// What has come since; an error if the list does not begin as it did.
    pub(super) fn rest<'a>(&self, bookings: &'a [Booking]) -> Result<&'a [Booking], Void> {
        let (before, since) = bookings
            .split_at_checked(self.count)
            .ok_or_else(|| Void("the gateway's ledger has fewer bookings than before".to_owned()))?;
        if Beginning::of(before) != *self {
            return Err(Void("the gateway's ledger has other bookings than before".to_owned()));
        }
        Ok(since)
    }
}

/// What stays open of the orders of one part.
#[derive(Debug, Default)]
pub(super) struct Open {
    pub(super) orders: BTreeMap<OrderId, Vec<Logged>>,
    pub(super) odd_names: BTreeSet<String>,
    /// Their rows that an old enough transaction has written, by table.
    rows: BTreeMap<Place, Tally>,
    mere_requests: HashSet<OrderId>,
    forgotten: BTreeSet<OrderId>,
}

impl Open {
    /// What was forgotten before stays so.
    pub(super) fn after(seal: Option<&Seal>) -> Self {
        Open { forgotten: seal.map(|seal| seal.forgotten.clone()).unwrap_or_default(), ..Open::default() }
    }
}

impl Open {
    /// Takes out the orders of which nobody has anything but requests that are answered otherwise, by a dead letter or as the
    /// repetition of another.
    pub(super) fn forget_mere_requests<'a>(&mut self, findings: impl Iterator<Item = &'a Finding>) {
        let wrong: HashSet<OrderId> = findings.filter_map(|finding| finding.order).collect();
        self.mere_requests.retain(|order| !wrong.contains(order));
        self.orders.retain(|order, _| !self.mere_requests.contains(order));
        self.forgotten.extend(self.mere_requests.drain());
    }

    /// Adds an order that was judged.
    pub(super) fn add(&mut self, dossier: Dossier) {
        if dossier.has_mere_requests() {
            self.mere_requests.insert(dossier.order);
        }
        self.leave_for_later(dossier);
    }

    /// Adds an order that nothing can be said of yet.
    pub(super) fn leave_for_later(&mut self, dossier: Dossier) {
        let share = Share::of(dossier.order);
        for row in dossier.rows.iter().filter(|row| row.era.is_past()) {
            self.rows.entry(Place::of_table(row.table)).or_default().add(share, 1);
        }
        for row in &dossier.written {
            if row.era.is_past() {
                let place = Place::of_outbox(row.publisher, &row.partition);
                self.rows.entry(place).or_default().add(Share::of_text(&row.aggregateid), 1);
            }
            if row.aggregateid != dossier.order.to_string() {
                self.odd_names.insert(row.aggregateid.clone());
            }
        }
        self.orders.insert(dossier.order, dossier.log);
    }
}
