//! Everything but reading: acknowledgements, cursor, lease, and starting over when a record is refused.

use std::time::{Duration, Instant};

use process::crash;

use super::{Tenure, new_publisher};
use crate::{Lost, in_flight::Refusal, leadership, progress::SLOW_BROKER, sequence};

/// Interval of checks for a stuck partition, once there may be one.
const STUCK_EVERY: Duration = Duration::from_millis(250);

impl Tenure {
    pub(super) async fn tend(&mut self) -> Result<(), Lost> {
        let (arrived, outcome) = self.publisher.arrived(Instant::now());
        self.reports.meters.published.increment(arrived.acknowledged as u64);
        if let Some(last_seq) = arrived.last_seq {
            self.cursor.acknowledge(last_seq);
            crash::point("relay.acknowledged");
        }
        if arrived.rows > 0 {
            self.recovery.arrived();
            self.context.progress().refused = None;
        }
        if let Err(refusal) = outcome {
            self.begin_again(&refusal).await?;
        }
        let now = Instant::now();
        self.look_after_partitions(now).await?;
        self.watch_broker(now);
        if now >= self.lease.renew_at() {
            // A database that has been added meanwhile may declare the same publisher.
            self.context.claim(self.publisher.route().publisher())?;
            let numbers = self.context.answered(sequence::look(&mut self.session)).await?;
            self.used_once.compare(numbers, self.cursor.acknowledged())?;
            self.cursor.see(numbers.highest);
            self.save().await?;
            self.check_used_once().await?;
        } else if self.cursor.save_at(self.published()).is_some_and(|at| at <= now) {
            self.save().await?;
        }
        Ok(())
    }

    /// Stops if numbers were used twice.
    async fn check_used_once(&mut self) -> Result<(), Lost> {
        let Some(span) = self.used_once.due(Instant::now(), self.cursor.acknowledged()) else { return Ok(()) };
        let bound = self.context.timing().answered_within();
        let in_time = sequence::check_used_once(&mut self.session, span, bound).await?;
        self.used_once.looked(span.1, in_time, Instant::now());
        Ok(())
    }

    /// Logs that the broker is slow, which is no fault yet: a cluster takes some ten seconds to replace a dead broker.
    fn watch_broker(&mut self, now: Instant) {
        let since = self.publisher.waiting_since();
        self.context.progress().unacknowledged_since = since;
        if self.reports.is_broker_slow_anew(since, now) {
            let topic = self.publisher.route().topic();
            tracing::warn!(
                database = self.context.database(),
                %topic,
                after_seq = self.published(),
                "records have waited {SLOW_BROKER:?} for an acknowledgement: is the broker up, and does each partition have a \
                 leader? waiting"
            );
        }
    }

    /// Latest time of the next call of [`tend`](Self::tend).
    fn tend_at(&self) -> Instant {
        let cursor = self.cursor.save_at(self.published());
        let stuck = self.publisher.waiting_since().map(|since| self.look_for_stuck_at(since));
        let earlier = [cursor, stuck, self.publisher.overdue_at(), self.recovery.resting_until()].into_iter().flatten();
        earlier.fold(self.lease.renew_at(), Instant::min)
    }

    /// When the next check for stuck partitions is due, if the oldest batch has been waiting since `since`.
    fn look_for_stuck_at(&self, since: Instant) -> Instant {
        (since + self.context.timing().stuck_after()).max(Instant::now() + STUCK_EVERY)
    }

    /// Returns when a batch has arrived, a record has been refused, or [`tend`](Self::tend) is due.
    pub(super) async fn something_arrives(&self) {
        tokio::select! {
            () = self.publisher.changed() => {}
            () = tokio::time::sleep_until(self.tend_at().into()) => {}
        }
    }

    /// Writes the cursor, which renews the lease.
    pub(super) async fn save(&mut self) -> Result<(), Lost> {
        let asked_at = Instant::now();
        let (epoch, published) = (self.epoch(), self.published());
        let save = leadership::save(&mut self.session, epoch, published, self.context.timing().lease);
        if !self.context.answered(save).await? {
            return Err(Lost::Replaced { epoch });
        }
        if self.cursor.save_at(published).is_some() {
            crash::point("relay.saved");
        }
        self.lease.renewed(asked_at);
        self.publisher.fence_at(self.lease.ends_at());
        self.cursor.saved(published, asked_at, asked_at.elapsed());
        let mut progress = self.context.progress();
        (progress.answered_at, progress.lost) = (Instant::now(), None);
        drop(progress);
        self.reports.meters.lag_rows.set(self.cursor.lag(published) as f64);
        Ok(())
    }

    /// Replaces the producer and reads again from after the last acknowledged row, so that nothing overtakes a failed record.
    pub(super) async fn begin_again(&mut self, refusal: &Refusal) -> Result<(), Lost> {
        let fresh = new_publisher(&self.context, self.publisher.route().clone(), &self.lease)?;
        std::mem::replace(&mut self.publisher, fresh).discard().await;
        self.cursor.take_back();
        self.topic.behind.take_back();
        self.gaps.read_ended(None, Instant::now());
        self.recovery.begin_again();
        self.stand_still(refusal);
        Ok(())
    }

    /// Pauses publishing after a refusal, and logs the reason.
    pub(super) fn stand_still(&mut self, refusal: &Refusal) {
        let rest = self.recovery.rest(Instant::now());
        self.reports.meters.refused.increment(1);
        tracing::error!(
            database = self.context.database(),
            topic = %self.publisher.route().topic(),
            event_id = refusal.event_id,
            error = refusal.error,
            after_seq = self.published(),
            retry_ms = rest.as_millis() as u64,
            "the next event could not be published; no later event passes it, and it is retried"
        );
        self.context.progress().refused = Some(refusal.error.clone());
    }
}
