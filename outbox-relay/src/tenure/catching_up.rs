//! Partitions that take nothing: leaving them behind, and giving them later what they have missed.

use std::time::Instant;

use sqlx::FromRow;

use super::{Step, Tenure};
use crate::{Lost, behind::Behind, in_flight::Refusal, publisher::NotTaken, store::OutboxRow};

impl Tenure {
    /// Leaves behind what is stuck, and takes along what has caught up.
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
            tracing::info!(database, topic, partition, "the partition has caught up");
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
        // A partition that has waited for so long keeps a batch waiting for at least as long.
        let waits = self.publisher.waiting_since().is_some_and(|since| now.saturating_duration_since(since) >= after);
        self.publisher.partitions().filter(|_| waits).map_or_else(Vec::new, |partitions| partitions.stuck(now, after))
    }

    /// Leaves behind what is stuck although the cluster is there: it has taken something else lately, or it answers.
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
                topic,
                partition,
                after_seq = self.published(),
                "the partition has acknowledged nothing for {:?}: has it a leader, and enough replicas in sync? The other \
                 partitions go on",
                timing.stuck_after()
            );
        }
    }

    /// Reads again, once, what was left out, and gives it to the partitions that can take it. None: there are no such.
    pub(super) async fn catch_up(&mut self) -> Result<Option<Step>, Lost> {
        if self.topic.behind.read_after().is_none() {
            return Ok(None);
        }
        if !self.knows_partitions().await? {
            return Ok(Some(Step::Resting));
        }
        let Some(after) = self.topic.behind.read_after() else { return Ok(None) };
        let limit = self.portion.rows();
        let Some((rows, is_whole)) = self.read(after, self.cursor.handed(), limit).await? else {
            return Ok(Some(Step::Published { rows: 0, more: true }));
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
        // Until now no batch has waited for them.
        if let Some(partitions) = self.publisher.partitions() {
            joined.into_iter().for_each(|partition| partitions.leave_behind(partition, false));
        }
        // It was this publisher's when it was left out. Should somebody have changed it since then, it goes nowhere.
        if let Some(row) = left.filter(|row| taken == 0 && self.publisher.record(row).is_none()) {
            let refusal = self.foreign(row);
            self.stand_still(&refusal);
            return Ok(Some(Step::Resting));
        }
        if taken == 0 && not_taken.is_some() {
            // The next try would read the same rows again, at once, and give as little.
            if not_taken == Some(NotTaken::Full) {
                self.make_room().await?;
            }
            return Ok(Some(Step::Busy));
        }
        Ok(Some(Step::Published { rows: taken, more: true }))
    }

    /// A new producer knows the partitions of the topic: it waits for those as little that are behind.
    pub(super) fn meet_partitions(&mut self) {
        let Some(partitions) = self.publisher.partitions() else { return };
        if self.topic.counted(partitions.count()) {
            // Keys have moved between them: all is published again from the first row that may be missing.
            self.cursor.return_to(self.published());
            self.topic.behind = Behind::default();
            self.tell_who_is_behind();
        }
        for partition in self.topic.behind.partitions() {
            partitions.leave_behind(partition, true);
        }
    }

    /// The client is full. If that is for what waits for partitions that take nothing, nothing goes to the others either.
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
