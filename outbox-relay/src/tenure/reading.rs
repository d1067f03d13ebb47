//! One read of the outbox: the rows that may be published go to the client.

use std::time::Instant;

use futures::TryStreamExt;
use process::crash;
use sqlx::{FromRow, Row, postgres::PgRow};

use super::{Outcome, Tenure};
use crate::{
    Lost,
    gap::{Inquiry, Place},
    in_flight::Refusal,
    lost::took_too_long,
    portion::BYTES_MAX,
    publisher::NotTaken,
    record::Record,
    store::{self, OutboxRow},
    writers,
};

impl Tenure {
    /// Makes the producer connect before there is anything to publish. A client requests its producer id half a second after its
    /// creation, and if it has no connection by then, another half second later.
    pub(super) async fn connect(&mut self) {
        if self.topic.connects_first() {
            // If the broker is away, the relay waits for it once there is something to publish.
            let _ = self.publisher.know_partitions(self.context.timing().cluster_answers_within()).await;
            self.meet_partitions();
        }
    }

    /// Makes progress on a gap. Has to end before the read begins: only a read that begins after a writer has ended shows all
    /// that it wrote.
    pub(super) async fn look_into_gap(&mut self) -> Result<(), Lost> {
        match self.gaps.inquiry(Instant::now()) {
            None => {}
            Some(Inquiry::WhoWrites) => {
                let (highest, writers) = self.context.answered(writers::open(&mut self.session)).await?;
                self.gaps.who_writes(highest, writers);
            }
            Some(Inquiry::WhoIsLeft(writers)) => {
                let left = self.context.answered(writers::left(&mut self.session, writers)).await?;
                self.gaps.who_is_left(left);
            }
        }
        Ok(())
    }

    pub(super) async fn read_and_publish(&mut self) -> Result<Outcome, Lost> {
        // While a gap is open, only the row after it matters.
        let most = if self.topic.behind.is_empty() { self.recovery.rows() } else { i64::MAX };
        let limit = if self.gaps.waiting().is_some() { 1 } else { most.min(self.portion.rows()) };
        let Some((rows, is_whole)) = self.read(self.cursor.handed(), i64::MAX, limit).await? else {
            return Ok(Outcome::Published { rows: 0, more: true });
        };
        if rows.is_empty() {
            self.gaps.read_ended(None, Instant::now());
            return Ok(Outcome::Empty);
        }
        let handed = self.cursor.handed();
        if !self.knows_partitions().await? {
            return Ok(Outcome::Resting);
        }
        if self.cursor.handed() != handed {
            return Ok(Outcome::Published { rows: 0, more: true });
        }
        let rows: Vec<OutboxRow<'_>> = rows.iter().map(OutboxRow::from_row).collect::<sqlx::Result<_>>()?;
        let filled = !is_whole || rows.len() as i64 == limit;
        self.hand_over(&rows, filled).await
    }

    /// True once the partitions of the topic are known; otherwise the relay pauses. If their number has changed, all is read
    /// again from the first row that may be missing.
    pub(super) async fn knows_partitions(&mut self) -> Result<bool, Lost> {
        let is_new = self.publisher.partitions().is_none();
        let bound = self.context.timing().statement_timeout();
        if let Err(refusal) = self.publisher.know_partitions(bound).await {
            self.begin_again(&refusal).await?;
            return Ok(false);
        }
        if is_new {
            self.meet_partitions();
        }
        Ok(true)
    }

    /// At most `limit` rows after `after` and up to `through`, and true unless the read was cut off by bytes; None if the server
    /// has cancelled it.
    pub(super) async fn read(
        &mut self,
        after: i64,
        through: i64,
        limit: i64,
    ) -> Result<Option<(Vec<PgRow>, bool)>, Lost> {
        let (mut rows, mut bytes) = (Vec::new(), 0);
        let mut stream = store::read(&mut self.session, after, through, limit);
        let reading = async {
            while bytes <= BYTES_MAX {
                let Some(row) = stream.try_next().await? else {
                    return Ok(true);
                };
                bytes += row.try_get_raw("payload")?.as_bytes().map_or(0, <[u8]>::len);
                rows.push(row);
            }
            // The rest of the answer, if only the error of a cancelled read, must not be left to the next statement.
            loop {
                match stream.try_next().await {
                    Ok(Some(_)) => {}
                    Ok(None) => return Ok(false),
                    Err(error) if took_too_long(&error) => return Ok(false),
                    Err(error) => return Err(error),
                }
            }
        };
        let is_whole = self.context.answered(reading).await;
        drop(stream);
        match is_whole {
            Ok(is_whole) => {
                self.portion.brought(rows.len(), bytes);
                self.context.progress().answered_at = Instant::now();
                Ok(Some((rows, is_whole)))
            }
            Err(Lost::Database(error)) if took_too_long(&error) && limit > 1 => {
                self.portion.halve(limit);
                let (database, rows) = (self.context.database(), self.portion.rows());
                tracing::warn!(database, limit, rows, %error, "the server cancelled a long read of the outbox; reading fewer rows");
                Ok(None)
            }
            Err(lost) => Err(lost),
        }
    }

    /// Hands over the rows that may be published, in order. `filled`: there may be more rows.
    async fn hand_over(&mut self, rows: &[OutboxRow<'_>], mut filled: bool) -> Result<Outcome, Lost> {
        // All records are built before the first is handed over: the client sends at once what it has, and records that follow
        // quickly share a request.
        let records: Vec<Record<'_>> = rows.iter().map_while(|row| self.publisher.record(row)).collect();
        let foreign = rows.get(records.len());
        let (mut taken, mut left_out, mut gap, mut not_taken) = (0, 0, None, None);
        self.publisher.open();
        for record in records {
            let seq = record.row.seq;
            match self.gaps.place(self.cursor.handed(), seq) {
                Place::Next => {}
                Place::BehindLost(lost) => {
                    tracing::debug!(
                        database = self.context.database(),
                        ?lost,
                        "numbers of the outbox were rolled back; passing them"
                    );
                    self.reports.meters.lost_numbers.increment((seq - lost.start()).unsigned_abs());
                }
                Place::BehindGap(missing) => {
                    gap = Some(missing);
                    break;
                }
            }
            let partition = self.publisher.partition_of(record.row);
            if !self.topic.behind.is_empty() && self.topic.behind.leaves_out(partition) {
                left_out += 1;
            } else if taken as i64 == self.recovery.rows() {
                filled = true;
                break;
            } else if let Err(why) = self.publisher.send(partition, record) {
                not_taken = Some(why);
                break;
            } else {
                taken += 1;
            }
            self.cursor.hand(seq);
        }
        self.publisher.seal(taken, self.cursor.handed());
        if taken == 0 && left_out > 0 {
            self.publisher.pass(self.cursor.handed());
        }
        if taken > 0 {
            crash::point("relay.sent");
        }
        self.gaps.read_ended(gap.clone(), Instant::now());
        self.portion.opening(not_taken == Some(NotTaken::Opening));
        let waits_for_room = taken == 0 && not_taken == Some(NotTaken::Full);
        let step = match (taken + left_out, gap, foreign) {
            (0, Some(missing), _) => Outcome::Gap(missing),
            // Everything before it has to be on Kafka first.
            (0, None, Some(row)) if not_taken.is_none() && self.publisher.batches() == 0 => {
                let refusal = self.foreign(row);
                self.stand_still(&refusal);
                Outcome::Resting
            }
            (0, None, _) => Outcome::Busy,
            (rows, gap, foreign) => {
                Outcome::Published { rows, more: filled && gap.is_none() && foreign.is_none() && not_taken.is_none() }
            }
        };
        if waits_for_room {
            self.make_room().await?;
        }
        Ok(step)
    }

    pub(super) fn foreign(&self, row: &OutboxRow<'_>) -> Refusal {
        let publisher = self.publisher.route().publisher();
        Refusal {
            event_id: Some(row.id.to_string()),
            error: format!(
                "the row with seq {} names the publisher {:?}, but this database belongs to {publisher:?}; it is not published \
                 until somebody has found out who wrote it and has corrected it",
                row.seq, row.aggregatetype
            ),
        }
    }
}
