//! Reading what one look goes by: everything, or what may have changed since a seal.

mod databases;
mod kafka;

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use events::{OrderId, Publisher};
use uuid::Uuid;

use self::kafka::{Kafka, read_again};
use super::{
    Booking, delivered,
    dossier::Item,
    gateway,
    judge::Known,
    money::Paid,
    seal::{Before, Doubts, Seal, Share, Tally, Void, Wanted},
    spill::Spill,
    topics::Topics,
};
use crate::{archive::Offsets, databases::Databases, stack::Environment};

pub(super) use databases::Snapshot;
pub use databases::{addresses, read_database, read_within};

/// What was read, beside what is in the orders' files.
pub(super) struct Reading {
    pub(super) spill: Arc<Spill>,
    pub(super) known: Known,
    pub(super) paid: Paid,
    pub(super) topics: Topics,
    pub(super) bookings: Vec<Booking>,
    pub(super) mails: Option<Mails>,
    pub(super) snapshots: Vec<Snapshot>,
}

/// The mails' files, with what changes with each of them.
type Mails = Vec<(OrderId, u64)>;

/// What names no order is filed under one that nobody has.
pub(super) const NOBODYS: OrderId = OrderId(Uuid::nil());

/// Reads what is to be gone through.
///
/// # Errors
/// [`Void`] if nothing of the seal holds; any other if something cannot be read.
pub(super) async fn read(environment: &Environment, databases: &Databases, before: &Before) -> anyhow::Result<Reading> {
    let spill = Arc::new(Spill::new());
    let mail_dir = environment.mail_dir().filter(|directory| directory.is_dir()).map(std::path::Path::to_owned);
    // Mails and bookings first: an order that has one has rows that are older, and so is looked at, or was before.
    let mails = list_mails(mail_dir.clone().filter(|_| !matches!(before, Before::Forgotten))).await?;
    let bookings = gateway::bookings(environment).await?;
    let log = before.seal().map(|seal| seal.log.clone());
    let kafka = Kafka::read(&environment.brokers, &spill, log);
    let (kafka, snapshots, rows, wanted) = match before.seal() {
        None => {
            let wanted = Arc::new(Wanted::Everything);
            let reading = async {
                let mut snapshots = databases::survey(databases, before).await?;
                let rows = databases::read(&mut snapshots, &wanted, &spill).await?;
                Ok((snapshots, rows))
            };
            let (kafka, (snapshots, rows)) = tokio::try_join!(kafka, reading)?;
            (kafka, snapshots, rows, wanted)
        }
        Some(seal) => {
            let (kafka, mut snapshots) = tokio::try_join!(kafka, databases::survey(databases, before))?;
            let mut doubts = kafka.doubts.clone();
            snapshots.iter().for_each(|snapshot| doubts.add(snapshot.changes.doubts.clone()));
            doubts.add(seal.open());
            doubts.orders.extend(seal.ledger.rest(&bookings)?.iter().map(order_of));
            doubts.shares.extend(other_mails(seal, mails.as_ref(), &doubts)?);
            let shares = doubts.shares.clone();
            let wanted = Arc::new(Wanted::Only(doubts));
            let rows = databases::read(&mut snapshots, &wanted, &spill).await?;
            read_again(&environment.brokers, seal, &kafka.kept, (rows.old.clone(), shares), &spill).await?;
            (kafka, snapshots, rows, wanted)
        }
    };
    let mut known = rows.known;
    for booking in bookings.iter().filter(|booking| wanted.has(order_of(booking))) {
        spill.put(order_of(booking), &Item::Booking(booking.clone()))?;
    }
    known.mails = mail_dir.is_some();
    read_mails(mail_dir, wanted, &spill).await?;
    let Kafka { topics, kept, .. } = kafka;
    known.letters = Arc::new(topics.log.letters.clone());
    known.kept.logged_since = topics.since(&kept);
    known.kept.partitions = partitions(&kept);
    Ok(Reading { spill, known, paid: rows.paid, topics, bookings, mails, snapshots })
}

fn order_of(booking: &Booking) -> OrderId {
    // A charge without an order is nobody's, and found as such.
    booking.payment_id.parse().unwrap_or(NOBODYS)
}

async fn list_mails(directory: Option<PathBuf>) -> anyhow::Result<Option<Mails>> {
    let Some(directory) = directory else { return Ok(None) };
    tokio::task::spawn_blocking(move || delivered::list(&directory)).await?.map(Some)
}

async fn read_mails(directory: Option<PathBuf>, wanted: Arc<Wanted>, spill: &Arc<Spill>) -> anyhow::Result<()> {
    let Some(directory) = directory else { return Ok(()) };
    let spill = spill.clone();
    let read = move || {
        let put = |order, mail| spill.put(order, &Item::Mail(mail));
        delivered::read(&directory, |order| wanted.has(order), put)
    };
    tokio::task::spawn_blocking(read).await?
}

/// The shares in which mails of sealed orders are other ones than they were.
fn other_mails(seal: &Seal, mails: Option<&Mails>, doubts: &Doubts) -> Result<Vec<Share>, Void> {
    match (&seal.mails, mails) {
        (None, None) => Ok(Vec::new()),
        (Some(before), Some(mails)) => {
            let mut now = Tally::default();
            let others = mails.iter().filter(|(order, _)| !doubts.orders.contains(order));
            others.for_each(|(order, stamp)| now.add(Share::of(*order), *stamp));
            Ok(before.differences(&now).into_iter().collect())
        }
        _ => Err(Void("the mails lie elsewhere than before".to_owned())),
    }
}

fn partitions(kept: &Offsets) -> BTreeMap<Publisher, i32> {
    let mut partitions = BTreeMap::new();
    for (topic, _) in kept.keys() {
        if let Some(publisher) = Publisher::all().find(|publisher| publisher.topic() == topic) {
            *partitions.entry(publisher).or_insert(0) += 1;
        }
    }
    partitions
}
