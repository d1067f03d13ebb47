//! Skips what was verified and has not changed since.
//!
//! An order is sealed when it has ended, nothing is wrong with it and nothing more is expected of it. Checking that it is
//! unchanged is cheap. PostgreSQL records which transaction wrote each row, so new and missing rows stand out. Kafka's logs only
//! grow, so reading the new records is enough. The gateway's ledger must begin as it did, and the mails must be the same. What
//! has changed is examined in full; where it cannot be told apart, so is every order whose id ends in the same three digits.
//!
//! If the basis has changed (another program, a database restored from a backup, a recreated topic), the seal is void and
//! everything is examined.

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

/// What was verified, and how to recognise it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Seal {
    /// The domain of buyers' default addresses.
    pub(super) mail_domain: String,
    /// By name.
    pub(super) databases: BTreeMap<String, Rows>,
    pub(super) log: Log,
    pub(super) ledger: Beginning,
    /// Tally of the mails, if their location is known.
    pub(super) mails: Option<Tally>,
    /// Orders that are not sealed, with their records on Kafka.
    pub(super) open: BTreeMap<OrderId, Vec<Logged>>,
    /// Names in outboxes that are not order ids, or not in the form in which we write them.
    pub(super) odd_names: BTreeSet<String>,
    /// Orders with nothing but requests that led to no order of that id.
    forgotten: BTreeSet<OrderId>,
    /// Number of orders that are sealed.
    pub(super) sealed: u64,
}

impl Seal {
    /// The seal after a look, with the orders left open; None if there are too many to remember.
    pub(super) fn new(reading: Reading, open: Open) -> Option<Self> {
        if open.orders.len() > MOST_OPEN {
            tracing::warn!(orders = open.orders.len(), "too many orders are open or wrong; nothing is sealed");
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

    /// Names of open orders, as the outboxes have them.
    fn open_names(&self) -> impl Iterator<Item = String> {
        self.open.keys().map(OrderId::to_string).chain(self.odd_names.iter().cloned())
    }

    /// The wanted orders of which Kafka may have more than is remembered.
    pub(super) fn forgotten(&self, wanted: &Wanted) -> impl Iterator<Item = OrderId> {
        self.forgotten.iter().copied().filter(|order| wanted.has(*order))
    }

    /// The orders that are not sealed.
    pub(super) fn open(&self) -> Doubts {
        let orders = self.open.keys().copied().chain([NOBODYS]).collect();
        Doubts { orders, names: self.open_names().collect(), shares: BTreeSet::new() }
    }
}

/// What is known from earlier looks.
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

/// Maximum number of open orders that are remembered with all their records, in memory and in the file.
const MOST_OPEN: usize = 50_000;

/// Maximum number of orders that are looked up one by one. Beyond it, examining everything is faster.
const MOST_DOUBTS: usize = 1_000_000;

/// The reason why a seal is void.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Void(pub(super) String);

/// The orders to be examined.
#[derive(Debug, Clone, Default)]
pub struct Doubts {
    pub orders: HashSet<OrderId>,
    /// Names in outboxes, as written there.
    pub names: HashSet<String>,
    /// Shares to be examined in full.
    pub shares: BTreeSet<Share>,
}

impl Doubts {
    /// Checks that the orders are few enough to be looked up one by one.
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

/// Start of an append-only list: its length and a digest of its content.
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

    /// Bookings added since; an error if the list does not begin as it did.
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

/// Orders of one part that stay open.
#[derive(Debug, Default)]
pub(super) struct Open {
    pub(super) orders: BTreeMap<OrderId, Vec<Logged>>,
    pub(super) odd_names: BTreeSet<String>,
    /// Their rows that are old at the new mark, by table.
    rows: BTreeMap<Place, Tally>,
    mere_requests: HashSet<OrderId>,
    forgotten: BTreeSet<OrderId>,
}

impl Open {
    /// Starts from `seal`: orders forgotten before stay forgotten.
    pub(super) fn after(seal: Option<&Seal>) -> Self {
        Open { forgotten: seal.map(|seal| seal.forgotten.clone()).unwrap_or_default(), ..Open::default() }
    }
}

impl Open {
    /// Removes the orders with nothing but requests that were answered otherwise, by a dead letter or as the repetition of
    /// another request.
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

    /// Adds an order that cannot be judged yet.
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
