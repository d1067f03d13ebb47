//! One look into the outbox: what may be published goes to the client.

use std::time::Instant;

use futures::TryStreamExt;
use kit::crash;
use sqlx::{FromRow, postgres::PgRow};

use super::{Step, Tenure};
use crate::{
    Lost,
    gap::{Inquiry, Place},
    lost::answered,
    outbox::{self, OutboxRow},
    record::Record,
    writers,
};

impl Tenure {
    /// Has to end before the read begins: only a read that begins after a writer has ended shows all that it wrote.
    pub(super) async fn look_into_gap(&mut self) -> Result<(), Lost> {
        let lease = self.relay.timing().lease;
        match self.gaps.inquiry(Instant::now()) {
            None => {}
            Some(Inquiry::WhoWrites) => {
                let (highest, writers) = answered(lease, writers::open(&mut self.session)).await?;
                self.gaps.who_writes(highest, writers);
            }
            Some(Inquiry::WhoIsLeft(writers)) => {
                let left = answered(lease, writers::left(&mut self.session, writers)).await?;
                self.gaps.who_is_left(left);
            }
        }
        Ok(())
    }

    pub(super) async fn read_and_publish(&mut self) -> sqlx::Result<Step> {
        // At a gap only its far edge is of interest.
        let limit = if self.gaps.waiting().is_some() { 1 } else { self.batch_rows };
        let rows: Vec<PgRow> = outbox::read(&mut self.session, self.handed, limit).try_collect().await?;
        let rows: Vec<OutboxRow<'_>> = rows.iter().map(OutboxRow::from_row).collect::<sqlx::Result<_>>()?;
        // All of them before the first is handed over: the client sends at once what it has, and what follows quickly
        // shares a request.
        let records: Vec<Record<'_>> = rows.iter().map(|row| self.publisher.record(row)).collect();
        let (mut taken, mut gap, mut interrupted) = (0, None, false);
        self.publisher.open();
        for record in records {
            let seq = record.row.seq;
            match self.gaps.place(self.handed, seq) {
                Place::Next => {}
                Place::BehindLost(lost) => {
                    tracing::debug!(database = self.relay.database(), ?lost, "these numbers were rolled back");
                    self.meters.lost_numbers.increment((seq - lost.start()).unsigned_abs());
                }
                Place::BehindGap(missing) => {
                    gap = Some(missing);
                    break;
                }
            }
            if !self.lease.covers_a_send(Instant::now()) || self.publisher.send(record).is_err() {
                interrupted = true;
                break;
            }
            self.handed = seq;
            taken += 1;
        }
        self.publisher.seal(taken, self.handed);
        if taken > 0 {
            crash::point("relay.sent");
        }
        self.gaps.read_ended(gap.clone(), Instant::now());
        Ok(match (taken, gap) {
            (0, Some(missing)) => Step::Gap(missing),
            (0, None) if interrupted => Step::Busy,
            (0, None) => Step::Empty,
            (rows, _) => Step::Published { rows, more: rows as i64 == limit },
        })
    }
}
