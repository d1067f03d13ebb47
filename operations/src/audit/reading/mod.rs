//! Reads what one look is based on: everything, or what may have changed since a seal.

mod databases;
mod kafka;

use std::sync::Arc;

use anyhow::{Context, bail};
use events::{OrderId, publisher};
use uuid::Uuid;

use self::kafka::{Kafka, read_again};
use super::{
    Booking,
    dossier::Item,
    gateway,
    judge::Known,
    mail_system::{MailSystem, Stamps},
    money::Paid,
    seal::{Before, Doubts, Seal, Share, Tally, Void, Wanted},
    spill::Spill,
    topics::Topics,
};
use crate::{Environment, databases::Databases};

pub(super) use databases::Survey;
pub use databases::{addresses, read_database, read_within};

/// What was read, beside what is in the orders' dossiers.
pub(super) struct Reading {
    pub(super) spill: Arc<Spill>,
    pub(super) known: Known,
    pub(super) paid: Paid,
    pub(super) topics: Topics,
    pub(super) bookings: Vec<Booking>,
    pub(super) mails: Option<MailSystem>,
    pub(super) surveys: Vec<Survey>,
}

/// Anything that names no order is filed under this id.
pub(super) const NOBODYS: OrderId = OrderId(Uuid::nil());

/// Reads what is to be examined.
///
/// # Errors
/// [`Void`] if the seal no longer holds; any other error if something cannot be read.
pub(super) async fn read(environment: &Environment, databases: &Databases, before: &Before) -> anyhow::Result<Reading> {
    let spill = Arc::new(Spill::new());
    // Mails and bookings first: their orders have older rows, so each is examined now or was before.
    let mails = MailSystem::look(environment, before).await.context("reading the mails")?;
    let bookings = gateway::bookings(environment).await?;
    let log = before.seal().map(|seal| seal.log.clone());
    let kafka = Kafka::read(&environment.brokers, &spill, log);
    let (kafka, rows, wanted) = match before.seal() {
        None => {
            let wanted = Arc::new(Wanted::Everything);
            let reading = async { databases::read(databases::survey(databases, before).await?, &wanted, &spill).await };
            let (kafka, rows) = tokio::try_join!(kafka, reading)?;
            (kafka, rows, wanted)
        }
        Some(seal) => {
            let (kafka, snapshots) = tokio::try_join!(kafka, databases::survey(databases, before))?;
            let mut doubts = kafka.doubts.clone();
            snapshots.iter().for_each(|snapshot| doubts.add(snapshot.survey.changes.doubts.clone()));
            doubts.add(seal.open());
            doubts.orders.extend(seal.ledger.rest(&bookings)?.iter().map(order_of));
            doubts.shares.extend(other_mails(seal, mails.as_ref().map(MailSystem::stamps), &doubts)?);
            doubts.check()?;
            let shares = doubts.shares.clone();
            let wanted = Arc::new(Wanted::Only(doubts));
            let rows = databases::read(snapshots, &wanted, &spill).await?;
            let again = rows.old.iter().copied().chain(seal.forgotten(&wanted)).collect();
            read_again(&environment.brokers, seal, &kafka.kept, (again, shares), &spill).await?;
            (kafka, rows, wanted)
        }
    };
    let mut known = rows.known;
    for booking in bookings.iter().filter(|booking| wanted.has(order_of(booking))) {
        spill.put(order_of(booking), &Item::Booking(booking.clone()))?;
    }
    known.mails = mails.as_ref().map(MailSystem::retention);
    if let Some(mails) = &mails {
        let spill = spill.clone();
        mails.read(move |order| wanted.has(order), move |order, mail| spill.put(order, &Item::Mail(mail))).await?;
    }
    let Kafka { topics, kept, .. } = kafka;
    known.letters = Arc::new(topics.log.letters.clone());
    known.kept.logged_since = topics.since(&kept);
    let partitions = topics.log.partitions.iter();
    known.kept.partitions =
        partitions.filter_map(|(topic, count)| Some((publisher::of_topic(topic)?, *count))).collect();
    Ok(Reading { spill, known, paid: rows.paid, topics, bookings, mails, surveys: rows.surveys })
}

fn order_of(booking: &Booking) -> OrderId {
    // A charge without an order is filed under the nil order and reported as such.
    booking.payment_id.parse().unwrap_or(NOBODYS)
}

/// Shares in which the mails of sealed orders have changed.
fn other_mails(seal: &Seal, mails: Option<&Stamps>, doubts: &Doubts) -> anyhow::Result<Vec<Share>> {
    match (&seal.mails, mails) {
        (None, None) => Ok(Vec::new()),
        (Some(_), None) => {
            bail!("the mails are not there any more: MAIL_DIR or MAIL_API_URL has to say where they are")
        }
        (Some(before), Some(mails)) => {
            let mut now = Tally::default();
            let others = mails.iter().filter(|(order, _)| !doubts.orders.contains(order));
            others.for_each(|(order, stamp)| now.add(Share::of(*order), *stamp));
            Ok(before.differences(&now).into_iter().collect())
        }
        (None, Some(_)) => bail!(Void("the mails could not be read before".to_owned())),
    }
}
