//! What happens in a random run.

use std::{cell::Cell, time::Duration};

use anyhow::Context;
use rand::{RngExt, seq::IndexedRandom};
use saga::record::Record;
use sqlx::PgPool;

use super::{play::PlayError, simulate::Run};
use crate::{
    bus::{Step, What},
    offers::Offer,
    universe::Call,
};

/// Most events in one batch, as of the consumer.
const MOST_EVENTS: usize = 500;
/// Time within which a transaction has to finish or to wait for another's lock.
const SOON: Duration = Duration::from_secs(60);

/// What may happen next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    /// A replica reads a batch, in which events come again that were read before.
    Batch,
    /// A replica dies between its decisions and the commit.
    Crash,
    /// Two replicas read the same events at the same time, as after a rebalance.
    Race,
    /// A step of another kind: a person, a deadline, an answer, parking, a retry.
    Other,
    /// A worker freezes past its lease, and answers after another has.
    Frozen,
    /// Days pass: what is published, processed and ended is removed.
    Days,
}

/// Deeds, each as often as it is here.
pub(super) const DEEDS: [Deed; 13] = [
    Deed::Batch,
    Deed::Batch,
    Deed::Batch,
    Deed::Batch,
    Deed::Crash,
    Deed::Crash,
    Deed::Race,
    Deed::Race,
    Deed::Other,
    Deed::Other,
    Deed::Frozen,
    Deed::Frozen,
    Deed::Days,
];

impl Run<'_> {
    pub(super) async fn after(&mut self, deed: Deed) -> Result<(), PlayError> {
        let reads: Vec<Offer> = self.offers().into_iter().filter(|offer| is_read(offer.step)).collect();
        match (deed, reads.choose(&mut self.rng).copied()) {
            (Deed::Other, _) | (_, None) => self.other().await,
            (Deed::Frozen, _) => self.frozen().await,
            (Deed::Days, _) => self.days().await,
            (Deed::Batch, Some(offer)) => self.batch(offer.step.service).await,
            (Deed::Crash, Some(offer)) => self.crash(offer.step.service).await,
            (Deed::Race, Some(offer)) => self.race(offer.step.service).await,
        }
    }

    /// Records that a service may read next, and the steps that they are. The model stays as it is.
    fn plan(&mut self, service: usize) -> Result<(Vec<Step>, Vec<Record>), PlayError> {
        // As many small batches as large ones.
        let most = MOST_EVENTS.ilog2() + 1;
        let most = 1_usize << self.rng.random_range(0..=most);
        let size = self.rng.random_range(1..=most).min(MOST_EVENTS);
        let before = self.stage.world.clone();
        let (mut steps, mut records) = (Vec::new(), Vec::new());
        while steps.len() < size {
            let mut reads = self.offers();
            reads.retain(|offer| offer.step.service == service && is_read(offer.step));
            let Some(offer) = reads.choose(&mut self.rng) else { break };
            // What this very batch says is not published yet.
            let Ok(Some(record)) = self.stage.record(offer.step) else { break };
            let after = self.stage.universe.take(&self.stage.world, offer.step);
            // A step that breaks a law stands alone.
            if after.is_ok() || steps.is_empty() {
                steps.push(offer.step);
                records.push(record);
            }
            let Ok(after) = after else { break };
            self.stage.world = after;
        }
        self.stage.world = before;
        Ok((steps, records))
    }

    fn take(&mut self, steps: &[Step]) {
        for step in steps {
            self.taken.push(*step);
            self.stage.take(*step);
            if self.stage.broken.is_some() {
                return;
            }
        }
    }

    async fn compare(&mut self, service: usize) -> Result<(), PlayError> {
        if self.stage.broken.is_some() {
            return Ok(());
        }
        match self.stage.compare(service).await? {
            Ok(()) => Ok(()),
            Err(how) => Err(self.parted(how)),
        }
    }

    async fn batch(&mut self, service: usize) -> Result<(), PlayError> {
        let (steps, mut records) = self.plan(service)?;
        if steps.is_empty() {
            return Ok(());
        }
        self.take(&steps);
        let read = records.clone();
        for _ in 0..self.rng.random_range(0..=2) {
            let Some(again) = self.processed[service].choose(&mut self.rng).cloned() else { break };
            let place = self.rng.random_range(0..=records.len());
            records.insert(place, again);
            self.count("events that came again");
        }
        let replica = self.rng.random_range(0..2);
        self.stage.reals[service].process(replica, &records).await;
        self.processed[service].extend(read);
        self.largest_batch = self.largest_batch.max(records.len());
        self.count("batches");
        self.compare(service).await
    }

    async fn crash(&mut self, service: usize) -> Result<(), PlayError> {
        let (_, records) = self.plan(service)?;
        if records.is_empty() {
            return Ok(());
        }
        let staged = self.stage.reals[service].stage(0, &records).await.map_err(anyhow::Error::from)?;
        drop(staged);
        self.count("crashes before a commit");
        self.compare(service).await
    }

    async fn race(&mut self, service: usize) -> Result<(), PlayError> {
        let (steps, mut records) = self.plan(service)?;
        if steps.is_empty() {
            return Ok(());
        }
        // Those that wait behind a parked event are written down with the commit, which only a whole batch does.
        let held = steps.iter().any(|step| {
            let saga = self.stage.universe.between_of(&self.stage.world, step.saga);
            saga.first_aside(service).is_some()
        });
        let commits = !held && self.rng.random_bool(0.5);
        let staged = self.stage.reals[service].stage(0, &records).await.map_err(anyhow::Error::from)?;
        self.take(&steps);
        if self.stage.broken.is_none() {
            let (more, later) = self.plan(service)?;
            self.take(&more);
            records.extend(later);
        }
        let is_done = Cell::new(false);
        let real = &self.stage.reals[service];
        let second = async {
            real.process(1, &records).await;
            is_done.set(true);
        };
        let first = async {
            until_blocked(real.pool(), &is_done).await?;
            if commits {
                staged.commit().await.map_err(anyhow::Error::from)?;
            } else {
                drop(staged);
            }
            anyhow::Ok(())
        };
        let ((), first) = futures::join!(second, first);
        first?;
        self.processed[service].extend(records);
        self.count(if commits { "races that the first wins" } else { "races that the second wins" });
        self.compare(service).await
    }

    async fn other(&mut self) -> Result<(), PlayError> {
        let others: Vec<Offer> = self.offers().into_iter().filter(|offer| !is_read(offer.step)).collect();
        match others.choose(&mut self.rng) {
            Some(offer) => self.single(offer.step).await,
            None => Ok(()),
        }
    }

    pub(super) async fn single(&mut self, step: Step) -> Result<(), PlayError> {
        let replica = self.rng.random_range(0..2);
        let record = self.stage.act(replica, step).await?;
        self.processed[step.service].extend(record);
        self.take(&[step]);
        if step.what == What::Retry && self.stage.broken.is_none() {
            self.taken.extend(self.stage.follow_retries(step.service).await?);
        }
        self.count(match step.what {
            What::Request(_) | What::Event { .. } | What::Again { .. } => "single events",
            What::Occasion(_) => "persons and deadlines",
            What::Answer { .. } => "answers",
            What::Park { .. } => "parked events",
            What::Retry => "retries",
        });
        self.compare(step.service).await
    }

    async fn days(&mut self) -> Result<(), PlayError> {
        let service = self.rng.random_range(0..self.processed.len());
        self.stage.let_days_pass(service).await?;
        // Nothing comes again that is older than the inbox remembers.
        self.processed[service].clear();
        self.count("days that passed");
        self.compare(service).await
    }

    /// Two workers have claimed a call, the first of which was frozen past its lease. Its answer counts if it comes first;
    /// that it gives up never does.
    async fn frozen(&mut self) -> Result<(), PlayError> {
        let mut open = self.offers();
        open.retain(|offer| matches!(offer.step.what, What::Answer { .. }));
        let Some(Offer { step, .. }) = open.choose(&mut self.rng).copied() else { return self.other().await };
        let What::Answer { call, answer } = step.what else { return Ok(()) };
        let (service, Call { attempt, .. }) = (step.service, self.stage.universe.calls.get(call).clone());
        let frozen = self.stage.claim(service, 0, &attempt).await?;
        self.stage.expire(service, &attempt).await?;
        let awake = self.stage.claim(service, 1, &attempt).await?;
        let real = &self.stage.reals[service];
        let settled = async |replica, claimed, gives_up| {
            real.settle(replica, claimed, gives_up, &attempt, answer).await.map_err(anyhow::Error::from)
        };
        let gave_up = settled(0, &frozen, true).await?;
        let (first, second) = if self.rng.random_bool(0.5) {
            (settled(0, &frozen, false).await?, settled(1, &awake, false).await?)
        } else {
            (settled(1, &awake, false).await?, settled(0, &frozen, false).await?)
        };
        self.take(&[step]);
        if (gave_up, first, second) != (false, true, false) {
            let how = format!(
                "of a frozen worker, ({gave_up}, {first}, {second}) counted: giving up, first and second answer"
            );
            return Err(self.parted(how));
        }
        self.count("workers frozen past their lease");
        self.compare(service).await
    }
}

/// True if a service reads a record with this step.
fn is_read(step: Step) -> bool {
    matches!(step.what, What::Request(_) | What::Event { .. })
}

/// Waits until a statement waits for a transaction that does nothing, or everything is done.
async fn until_blocked(pool: &PgPool, is_done: &Cell<bool>) -> anyhow::Result<()> {
    let waits = "select exists (select from pg_stat_activity waits
                                join pg_stat_activity blocks on blocks.pid = any (pg_blocking_pids(waits.pid))
                                where waits.datname = current_database() and blocks.state = 'idle in transaction')";
    let blocked = async {
        while !is_done.get() {
            if sqlx::query_scalar(waits).fetch_one(pool).await? {
                break;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(SOON, blocked).await.context("the second replica neither finishes nor waits for the first")?
}
