//! Everything but reading: acknowledgements, cursor, lease, and what is done when a record is refused.

use std::time::{Duration, Instant};

use kit::crash;

use super::Tenure;
use crate::{Lost, in_flight::Refusal, leadership, lost::answered, outbox, publisher::Publisher};

/// The cursor is at most so far behind the acknowledgements; so much is repeated after a crash.
const CURSOR_EVERY: Duration = Duration::from_millis(20);

impl Tenure {
    pub(super) async fn tend(&mut self) -> Result<(), Lost> {
        let (arrived, outcome) = self.publisher.arrived(Instant::now());
        if let Some(last_seq) = arrived.last_seq {
            self.acknowledged = last_seq;
            crash::point("relay.acknowledged");
            self.meters.published.increment(arrived.rows as u64);
            self.batch_rows = (self.batch_rows * 2).min(self.relay.batch_max());
            self.backoff.reset();
        }
        if let Err(refusal) = outcome {
            self.begin_again(&refusal).await?;
        }
        let now = Instant::now();
        if now >= self.lease.renew_at() {
            self.highest = answered(self.relay.timing().lease, outbox::highest(&mut self.session)).await?;
            self.save().await?;
        } else if self.acknowledged > self.saved && now >= self.saved_at + CURSOR_EVERY {
            self.save().await?;
        }
        Ok(())
    }

    /// When [`tend`](Self::tend) has something to do at the latest.
    fn tend_at(&self) -> Instant {
        let cursor = (self.acknowledged > self.saved).then(|| self.saved_at + CURSOR_EVERY);
        let earlier = [cursor, self.publisher.overdue_at(), self.resting_until].into_iter().flatten();
        earlier.fold(self.lease.renew_at(), Instant::min)
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
        let lease = self.relay.timing().lease;
        let asked_at = Instant::now();
        let save = leadership::save(&mut self.session, self.epoch, self.acknowledged, lease);
        if !answered(lease, save).await? {
            return Err(Lost::Replaced { epoch: self.epoch });
        }
        if self.acknowledged > self.saved {
            crash::point("relay.saved");
        }
        self.lease.renewed(asked_at);
        (self.saved, self.saved_at) = (self.acknowledged, asked_at);
        self.meters.lag_rows.set((self.highest - self.acknowledged).max(0) as f64);
        Ok(())
    }

    /// Nothing may overtake a record that failed: takes back all that has not arrived, to read again from there.
    async fn begin_again(&mut self, refusal: &Refusal) -> Result<(), Lost> {
        let rest = self.backoff.delay();
        self.meters.refused.increment(1);
        tracing::error!(
            database = self.relay.database(),
            topic = refusal.topic,
            event_id = refusal.event_id,
            error = refusal.error,
            after_seq = self.acknowledged,
            retry_ms = rest.as_millis() as u64,
            "the broker has not taken an event; nothing passes it, it is tried again"
        );
        let fresh = Publisher::new(self.relay.kafka(), self.relay.timing(), self.relay.batch_max())?;
        std::mem::replace(&mut self.publisher, fresh).discard().await;
        self.handed = self.acknowledged;
        self.gaps.read_ended(None, Instant::now());
        self.batch_rows = 1;
        self.resting_until = Some(Instant::now() + rest);
        Ok(())
    }
}
