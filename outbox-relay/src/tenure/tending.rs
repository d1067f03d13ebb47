//! Everything but reading: acknowledgements, cursor, lease, and what is done when a record is refused.

use std::time::{Duration, Instant};

use process::crash;

use super::{Tenure, new_publisher};
use crate::{Lost, in_flight::Refusal, leadership, progress::SLOW_BROKER, sequence};

/// The cursor is about so far behind the acknowledgements; so much is repeated after a crash.
const CURSOR_EVERY: Duration = Duration::from_millis(20);
/// While an old snapshot is open somewhere, every version of the cursor's row stays, and writing it takes longer and longer.
/// It never takes more than this part of the time.
const SAVING_SHARE: u32 = 50;

/// Interval of looks for a stuck partition, once there may be one.
const STUCK_EVERY: Duration = Duration::from_millis(250);

/// When a look for numbers that were used twice has taken too long.
const CHECKED_AGAIN_AFTER: Duration = Duration::from_secs(60);

impl Tenure {
    pub(super) async fn tend(&mut self) -> Result<(), Lost> {
        let (arrived, outcome) = self.publisher.arrived(Instant::now());
        self.meters.published.increment(arrived.acknowledged as u64);
        if let Some(last_seq) = arrived.last_seq {
            self.acknowledged = last_seq;
            crash::point("relay.acknowledged");
        }
        if arrived.rows > 0 {
            self.batch_rows = (self.batch_rows * 2).min(self.context.batch_max());
            self.backoff.reset();
            self.context.progress().refused = None;
        }
        if let Err(refusal) = outcome {
            self.begin_again(&refusal).await?;
        }
        let now = Instant::now();
        self.look_after_partitions(now).await?;
        self.watch_broker(now);
        if now >= self.lease.renew_at() {
            // A database that has been added in the meantime may say that it is this publisher's as well.
            self.context.claim(self.publisher.route().publisher())?;
            let numbers = self.context.answered(sequence::look(&mut self.session)).await?;
            numbers.check(self.acknowledged)?;
            numbers.check_since(self.last_value)?;
            (self.highest, self.last_value) = (numbers.highest, numbers.last_value);
            self.save().await?;
            self.check_used_once().await?;
        } else if self.published() > self.saved && now >= self.save_at() {
            self.save().await?;
        }
        Ok(())
    }

    /// Stops if numbers were used twice. A look that takes too long is not repeated soon: it would take the time that
    /// publishing needs.
    async fn check_used_once(&mut self) -> Result<(), Lost> {
        if Instant::now() < self.check_at {
            return Ok(());
        }
        let (span, bound) = ((self.checked, self.acknowledged), self.context.timing().answered_within());
        if !sequence::check_used_once(&mut self.session, span, bound).await? {
            self.check_at = Instant::now() + CHECKED_AGAIN_AFTER;
        }
        self.checked = self.acknowledged;
        Ok(())
    }

    /// Says when the broker takes long, which it may: a cluster replaces a broker that has died within ten seconds or so.
    fn watch_broker(&mut self, now: Instant) {
        let since = self.publisher.waiting_since();
        self.context.progress().unacknowledged_since = since;
        let slow = since.is_some_and(|since| now.saturating_duration_since(since) > SLOW_BROKER);
        if slow && !self.slow_broker_reported {
            let topic = self.publisher.route().topic();
            tracing::warn!(
                database = self.context.database(),
                topic,
                after_seq = self.published(),
                "the broker has not acknowledged for {SLOW_BROKER:?}: is it there, and a leader for each partition? waiting"
            );
        }
        self.slow_broker_reported = slow;
    }

    /// When the cursor is written next if it has moved.
    fn save_at(&self) -> Instant {
        self.saved_at + save_interval(self.saving_took)
    }

    /// When [`tend`](Self::tend) has something to do at the latest.
    fn tend_at(&self) -> Instant {
        let cursor = (self.published() > self.saved).then(|| self.save_at());
        let stuck = self.publisher.waiting_since().map(|since| self.look_for_stuck_at(since));
        let earlier = [cursor, stuck, self.publisher.overdue_at(), self.resting_until].into_iter().flatten();
        earlier.fold(self.lease.renew_at(), Instant::min)
    }

    /// When the next look for partitions that are stuck is due, if the oldest batch has waited `since` then.
    fn look_for_stuck_at(&self, since: Instant) -> Instant {
        (since + self.context.timing().stuck_after()).max(Instant::now() + STUCK_EVERY)
    }

    /// Returns when a batch has arrived, a record was refused, or something else is to be tended.
    pub(super) async fn something_arrives(&self) {
        tokio::select! {
            () = self.publisher.changed() => {}
            () = tokio::time::sleep_until(self.tend_at().into()) => {}
        }
    }

    /// Writes the cursor, which renews the lease.
    pub(super) async fn save(&mut self) -> Result<(), Lost> {
        let asked_at = Instant::now();
        let published = self.published();
        let save = leadership::save(&mut self.session, self.epoch, published, self.context.timing().lease);
        if !self.context.answered(save).await? {
            return Err(Lost::Replaced { epoch: self.epoch });
        }
        if published > self.saved {
            crash::point("relay.saved");
        }
        self.lease.renewed(asked_at);
        self.publisher.fence_at(self.lease.ends_at());
        (self.saved, self.saved_at, self.saving_took) = (published, asked_at, asked_at.elapsed());
        let mut progress = self.context.progress();
        (progress.answered_at, progress.lost) = (Instant::now(), None);
        drop(progress);
        self.meters.lag_rows.set((self.highest - published).max(0) as f64);
        Ok(())
    }

    /// Nothing may overtake a record that failed: takes back all that has not arrived, to read again from there.
    pub(super) async fn begin_again(&mut self, refusal: &Refusal) -> Result<(), Lost> {
        let fresh = new_publisher(&self.context, self.publisher.route().clone(), &self.lease)?;
        std::mem::replace(&mut self.publisher, fresh).discard().await;
        self.handed = self.acknowledged;
        self.behind.take_back();
        self.gaps.read_ended(None, Instant::now());
        self.batch_rows = 1;
        self.stand_still(refusal);
        Ok(())
    }

    /// Rests, and says why.
    pub(super) fn stand_still(&mut self, refusal: &Refusal) {
        let rest = self.backoff.delay();
        self.meters.refused.increment(1);
        tracing::error!(
            database = self.context.database(),
            topic = self.publisher.route().topic(),
            event_id = refusal.event_id,
            error = refusal.error,
            after_seq = self.published(),
            retry_ms = rest.as_millis() as u64,
            "an event is not published; nothing passes it, it is tried again"
        );
        self.context.progress().refused = Some(refusal.error.clone());
        self.resting_until = Some(Instant::now() + rest);
    }
}

/// The time from one saving of the cursor to the next, if it took so long.
fn save_interval(took: Duration) -> Duration {
    CURSOR_EVERY.max(took * SAVING_SHARE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn saving_the_cursor_takes_a_small_part_of_the_time_however_long_it_takes() {
        assert_eq!(save_interval(Duration::from_micros(200)), CURSOR_EVERY);
        assert_eq!(save_interval(Duration::from_millis(5)), Duration::from_millis(250));
    }
}
