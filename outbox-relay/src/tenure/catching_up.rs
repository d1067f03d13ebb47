//! Partitions that take nothing: leaving them behind, and giving them later what they have missed.

use std::time::{Duration, Instant};

use sqlx::FromRow;

use super::{Step, Tenure};
use crate::{Lost, behind::Behind, outbox::OutboxRow};

/// Nothing else goes on while this is waited for.
const ANSWERS_WITHIN: Duration = Duration::from_secs(1);

impl Tenure {
    /// Leaves behind what is stuck, and takes along what is not any more.
    pub(super) async fn look_after_partitions(&mut self, now: Instant) {
        let stuck = self.stuck(now);
        if stuck.is_empty() {
            self.suspicion.none();
            if self.behind.is_empty() {
                return;
            }
        } else {
            self.suspect(stuck, now).await;
        }
        self.take_along();
        self.meters.partitions_behind.set(self.behind.partitions().len() as f64);
        self.relay.progress().behind = self.behind.partitions();
    }

    fn stuck(&self, now: Instant) -> Vec<(usize, Instant)> {
        let after = self.relay.timing().stuck_after();
        // A partition that has waited for so long keeps a batch waiting for at least as long.
        let waits = self.publisher.waiting_since().is_some_and(|since| now.saturating_duration_since(since) >= after);
        self.publisher.partitions().filter(|_| waits).map_or_else(Vec::new, |partitions| partitions.stuck(now, after))
    }

    /// Leaves behind what is stuck although the cluster is there: somebody has taken something lately, or it answers.
    async fn suspect(&mut self, stuck: Vec<(usize, Instant)>, now: Instant) {
        let timing = self.relay.timing();
        let (after, settled) = (timing.stuck_after(), timing.settled_after());
        let accepts = self.publisher.partitions().is_some_and(|partitions| partitions.accepted_at() + settled >= now);
        if !self.suspicion.wants_to_know(now, settled) || !(accepts || self.publisher.is_answered(ANSWERS_WITHIN).await)
        {
            return;
        }
        let Some(partitions) = self.publisher.partitions() else { return };
        let (database, topic) = (self.relay.database(), self.publisher.route().topic());
        for (partition, since) in self.suspicion.answered(now, (after, settled), stuck) {
            if partitions.is_quiet(partition) {
                continue;
            }
            partitions.leave_behind(partition, true);
            self.behind.leave(partition, since, self.acknowledged, self.handed);
            tracing::warn!(
                database,
                topic,
                partition,
                after_seq = self.acknowledged,
                "the partition has acknowledged nothing for {after:?}: has it a leader, and enough replicas in sync? The other \
                 partitions go on"
            );
        }
    }

    fn take_along(&mut self) {
        let Some(partitions) = self.publisher.partitions() else { return };
        let (database, topic) = (self.relay.database(), self.publisher.route().topic());
        let (_, arrived) = self.publisher.sealed_and_arrived();
        let changes = self.behind.look(|partition| partitions.is_quiet(partition), arrived);
        for partition in changes.take_again {
            partitions.leave_behind(partition, false);
            tracing::info!(database, topic, partition, "the partition acknowledges again: catching up");
        }
        for partition in changes.caught_up {
            tracing::info!(database, topic, partition, "the partition has caught up");
        }
    }

    /// Reads again, once, what was left out, and gives it to the partitions that can take it. None: there are no such.
    pub(super) async fn catch_up(&mut self) -> Result<Option<Step>, Lost> {
        let Some(after) = self.behind.read_after() else { return Ok(None) };
        if !self.knows_partitions().await? {
            return Ok(Some(Step::Resting));
        }
        if self.behind.is_empty() {
            return Ok(None);
        }
        let limit = self.batch_rows.min(self.portion.rows());
        let Some((rows, is_whole)) = self.read(after, self.handed, limit).await? else {
            return Ok(Some(Step::Published { rows: 0, more: true }));
        };
        let rows: Vec<OutboxRow<'_>> = rows.iter().map(OutboxRow::from_row).collect::<sqlx::Result<_>>()?;
        let whole = is_whole && (rows.len() as i64) < limit;
        let (mut through, mut taken, mut not_taken) = (after, 0, None);
        self.publisher.open();
        for row in &rows {
            if self.publisher.partition_of(row).is_some_and(|partition| self.behind.wants(partition, row.seq)) {
                let sent = self.publisher.record(row).is_some_and(|record| self.publisher.send(record).is_ok());
                if !sent {
                    not_taken = Some(row);
                    break;
                }
                taken += 1;
            }
            through = row.seq;
        }
        if whole && not_taken.is_none() {
            through = self.handed;
        }
        self.publisher.seal(taken, self.handed);
        let (sealed, _) = self.publisher.sealed_and_arrived();
        self.behind.given(through, self.handed, sealed);
        // It was this publisher's when it was left out. Should somebody have changed it since then, it goes nowhere.
        if let Some(row) = not_taken.filter(|row| taken == 0 && self.publisher.record(row).is_none()) {
            let refusal = self.foreign(row);
            self.stand_still(&refusal);
            return Ok(Some(Step::Resting));
        }
        Ok(Some(Step::Published { rows: taken, more: not_taken.is_none() }))
    }

    /// Another producer has found another number of partitions: keys have moved between them, and all is published again from
    /// the first row that may be missing.
    pub(super) fn forget_partitions(&mut self) {
        self.acknowledged = self.published();
        self.handed = self.acknowledged;
        self.behind = Behind::default();
    }
}
