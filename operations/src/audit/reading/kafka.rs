//! Reads Kafka: everything, or only what is new plus the earlier records of the orders to be examined again.

use saga::outbox::kafka::Cluster;
use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

use anyhow::Context;
use events::{OrderId, publisher};

use crate::{
    archive::{self, Offsets},
    audit::{
        dossier::Item,
        seal::{Doubts, Log, Seal, Share, partition_counts},
        spill::Spill,
        topics::{Topics, logged},
    },
    listener,
};

/// What was read from Kafka.
pub(super) struct Kafka {
    pub(super) topics: Topics,
    pub(super) kept: Offsets,
    /// Orders of which some record was read.
    pub(super) doubts: Doubts,
}

impl Kafka {
    /// Reads what is new since `before`, or everything.
    pub(super) async fn read(brokers: &Cluster, spill: &Arc<Spill>, before: Option<Log>) -> anyhow::Result<Self> {
        let (brokers, spill) = (brokers.to_owned(), spill.clone());
        tokio::task::spawn_blocking(move || Self::read_now(&brokers, &spill, before)).await?.context("reading Kafka")
    }

    fn read_now(brokers: &Cluster, spill: &Spill, before: Option<Log>) -> anyhow::Result<Self> {
        let kept = archive::kept(brokers, &listener::topics())?;
        let rest = before.as_ref().map_or(Ok(kept.clone()), |log| log.rest(&kept))?;
        let (mut topics, mut doubts) = (Topics::default(), Doubts::default());
        let before = before.unwrap_or_default();
        archive::read_firsts(brokers, firsts(&kept, &rest), |record| topics.note_first(&record))?;
        topics.log = before.clone();
        let (mut failed, mut recognised) = (None, BTreeSet::new());
        archive::read_from(brokers, rest, |record| {
            if failed.is_some() {
                return;
            }
            let noted = match before.was_read(&record) {
                Ok(true) => {
                    topics.note_first(&record);
                    recognised.insert((record.topic.clone(), record.partition, record.offset));
                    Ok(())
                }
                Ok(false) => topics.note(&record, |order, item| {
                    doubts.orders.insert(order);
                    spill.put(order, &item)
                }),
                Err(void) => Err(void.into()),
            };
            failed = noted.err();
        })?;
        failed.map_or(Ok(()), Err)?;
        before.are_recognised(&kept, &recognised)?;
        topics.log.partitions = partition_counts(&kept);
        Ok(Kafka { topics, kept, doubts })
    }
}

/// First retained records of partitions that are not read from their beginning now: they show since when records are retained.
fn firsts(kept: &Offsets, rest: &Offsets) -> Offsets {
    let is_read = |place| rest.get(place).is_some_and(|rest| kept[place].start == rest.start);
    let firsts = kept.iter().filter(|(place, kept)| kept.start > 0 && !is_read(place));
    firsts.map(|(place, kept)| (place.clone(), kept.clone())).collect()
}

/// Adds earlier records to the dossiers: of open orders from the seal, and of sealed orders, and of all orders of some shares,
/// from Kafka.
pub(super) async fn read_again(
    brokers: &Cluster,
    seal: &Seal,
    kept: &Offsets,
    (mut sealed, shares): (HashSet<OrderId>, BTreeSet<Share>),
    spill: &Arc<Spill>,
) -> anyhow::Result<()> {
    sealed.retain(|order| !seal.open.contains_key(order));
    for (order, log) in &seal.open {
        log.iter().try_for_each(|event| spill.put(*order, &Item::Logged(event.clone())))?;
    }
    if sealed.is_empty() && shares.is_empty() {
        return Ok(());
    }
    let (past, brokers, spill) = (seal.log.past(kept), brokers.to_owned(), spill.clone());
    let open: HashSet<OrderId> = seal.open.keys().copied().collect();
    let is_wanted =
        move |order: OrderId| !open.contains(&order) && (sealed.contains(&order) || shares.contains(&Share::of(order)));
    let reading = tokio::task::spawn_blocking(move || {
        let mut failed = None;
        archive::read_from(&brokers, past, |record| {
            let topic = publisher::of_topic(&record.topic);
            let event = topic.and_then(|topic| logged(topic, &record, &is_wanted));
            if let Some((order, event)) = event.filter(|_| failed.is_none()) {
                failed = spill.put(order, &Item::Logged(event)).err();
            }
        })?;
        failed.map_or(Ok(()), Err)
    });
    reading.await?.context("reading Kafka again")
}
