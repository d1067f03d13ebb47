//! Partitions that accept nothing: leaving them behind, and later giving them what they have missed.

use std::time::Instant;

use sqlx::FromRow;

use super::{Outcome, Tenure};
use crate::{Lost, behind::Behind, in_flight::Refusal, publisher::NotTaken, store::OutboxRow};

impl Tenure {
    /// Leaves behind the partitions that are stuck, and takes back those that have caught up.
    pub(super) async fn look_after_partitions(&mut self, now: Instant) -> Result<(), Lost> {
        let stuck = self.stuck(now);
        if stuck.is_empty() {
            self.topic.suspicion.none();
            if self.topic.behind.is_empty() {
                return Ok(());
            }
        } else {
            self.suspect(stuck, now).await;
        }
        let Some(partitions) = self.publisher.partitions() else { return Ok(()) };
        let (database, topic) = (self.context.database(), self.publisher.route().topic());
        let (_, arrived) = self.publisher.sealed_and_arrived();
        for partition in self.topic.behind.look(|partition| partitions.is_quiet(partition), arrived) {
            tracing::info!(database, %topic, partition, "a partition that was left behind has caught up");
        }
        let forgotten =
            self.topic.behind.partitions().into_iter().find(|number| partitions.may_have_forgotten(*number, now));
        self.tell_who_is_behind();
        match forgotten {
            // The new producer gives it one record until it has accepted that one.
            Some(partition) => self.begin_again(&refusal_by(partition)).await,
            None => Ok(()),
        }
    }

    fn stuck(&self, now: Instant) -> Vec<(usize, Instant)> {
        let after = self.context.timing().stuck_after();
        // A stuck partition keeps a batch waiting for at least as long.
        let waits = self.publisher.waiting_since().is_some_and(|since| now.saturating_duration_since(since) >= after);
        self.publisher.partitions().filter(|_| waits).map_or_else(Vec::new, |partitions| partitions.stuck(now, after))
    }

    /// Leaves behind the partitions that are stuck although the cluster is up: it has accepted other records lately, or answers.
    async fn suspect(&mut self, stuck: Vec<(usize, Instant)>, now: Instant) {
        let timing = self.context.timing();
        let settled = timing.settled_after();
        if !self.topic.suspicion.wants_to_know(now, settled) {
            return;
        }
        let accepts = self.publisher.partitions().is_some_and(|partitions| partitions.accepted_at() + settled >= now);
        if !accepts && !self.publisher.is_answered(timing.cluster_answers_within()).await {
            self.topic.suspicion.none();
            return;
        }
        let Some(partitions) = self.publisher.partitions() else { return };
        let (database, topic) = (self.context.database(), self.publisher.route().topic());
        for (partition, since) in self.topic.suspicion.answered(now, timing.stuck_after(), stuck) {
            if partitions.is_quiet(partition) {
                continue;
            }
            partitions.leave_behind(partition, true);
            self.topic.behind.leave(partition, since, self.cursor.acknowledged(), self.cursor.handed());
            tracing::warn!(
                database,
                %topic,
                partition,
                after_seq = self.published(),
                "a partition has acknowledged nothing for {:?}: does it have a leader, and enough in-sync replicas? It is left \
                 behind; the others continue",
                timing.stuck_after()
            );
        }
    }

    /// Reads once what was left out, and gives it to the partitions that can be given more. None if there are none.
    pub(super) async fn catch_up(&mut self) -> Result<Option<Outcome>, Lost> {
        if self.topic.behind.read_after().is_none() {
            return Ok(None);
        }
        if !self.knows_partitions().await? {
            return Ok(Some(Outcome::Resting));
        }
        let Some(after) = self.topic.behind.read_after() else { return Ok(None) };
        let limit = self.portion.rows();
        let Some((rows, is_whole)) = self.read(after, self.cursor.handed(), limit).await? else {
            return Ok(Some(Outcome::Published { rows: 0, more: true }));
        };
        let rows: Vec<OutboxRow<'_>> = rows.iter().map(OutboxRow::from_row).collect::<sqlx::Result<_>>()?;
        let is_whole = is_whole && (rows.len() as i64) < limit;
        let (mut through, mut taken, mut left, mut not_taken) = (after, 0, None, None);
        self.publisher.open();
        for row in &rows {
            let partition = self.publisher.partition_of(row);
            if self.topic.behind.wants(partition, row.seq) {
                let sent = match self.publisher.record(row) {
                    Some(record) if (taken as i64) < self.recovery.rows() => self.publisher.send(partition, record),
                    _ => {
                        left = Some(row);
                        break;
                    }
                };
                if let Err(why) = sent {
                    (left, not_taken) = (Some(row), Some(why));
                    break;
                }
                taken += 1;
            }
            through = row.seq;
        }
        if is_whole && left.is_none() {
            through = self.cursor.handed();
        }
        self.publisher.seal(taken, self.cursor.handed());
        let (sealed, _) = self.publisher.sealed_and_arrived();
        let joined = self.topic.behind.given(through, self.cursor.handed(), sealed);
        // Until now no batch has waited for these partitions.
        if let Some(partitions) = self.publisher.partitions() {
            joined.into_iter().for_each(|partition| partitions.leave_behind(partition, false));
        }
        // It was this publisher's when it was left out. If somebody has changed it since then, it is not published.
        if let Some(row) = left.filter(|row| taken == 0 && self.publisher.record(row).is_none()) {
            let refusal = self.foreign(row);
            self.stand_still(&refusal);
            return Ok(Some(Outcome::Resting));
        }
        if taken == 0 && not_taken.is_some() {
            // An immediate retry would read the same rows again and hand over none of them.
            if not_taken == Some(NotTaken::Full) {
                self.make_room().await?;
            }
            return Ok(Some(Outcome::Busy));
        }
        Ok(Some(Outcome::Published { rows: taken, more: true }))
    }

    /// Tells a new producer, which has learnt the partitions of the topic, which of them are left behind.
    pub(super) fn meet_partitions(&mut self) {
        let Some(partitions) = self.publisher.partitions() else { return };
        if self.topic.counted(partitions.count()) {
            // Keys have moved between partitions: all is published again from the first row that may be missing.
            self.cursor.return_to(self.published());
            self.topic.behind = Behind::default();
            self.tell_who_is_behind();
        }
        for partition in self.topic.behind.partitions() {
            partitions.leave_behind(partition, true);
        }
    }

    /// Makes room in a full client. If it is full of records for partitions that are left behind, the others get nothing either.
    pub(super) async fn make_room(&mut self) -> Result<(), Lost> {
        match self.topic.behind.partitions().first() {
            Some(partition) if self.publisher.batches() == 0 => self.begin_again(&refusal_by(*partition)).await,
            _ => Ok(()),
        }
    }

    fn tell_who_is_behind(&self) {
        let partitions = self.topic.behind.partitions();
        self.reports.meters.partitions_behind.set(partitions.len() as f64);
        let mut progress = self.context.progress();
        (progress.behind, progress.behind_since) = (partitions, self.topic.behind.since());
    }
}

fn refusal_by(partition: usize) -> Refusal {
    let error =
        format!("the partition {partition} has acknowledged nothing for long; beginning again with a new producer");
    Refusal { event_id: None, error }
}
