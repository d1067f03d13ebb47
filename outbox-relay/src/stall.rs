//! The report of a gap that lasts, with the session that holds it open.

use std::{
    ops::RangeInclusive,
    time::{Duration, Instant},
};

use sqlx::PgConnection;

use crate::{meters::Meters, writers};

/// Age from which a gap is reported: no service keeps a transaction open that long.
const LONG: Duration = Duration::from_secs(1);
/// Interval at which the same stall is reported again.
const AGAIN_AFTER: Duration = Duration::from_secs(30);

/// Reports a gap that lasts longer than a second, and again while it does.
#[derive(Debug, Default)]
pub(crate) struct StallReport {
    said_at: Option<Instant>,
}

impl StallReport {
    /// Reports the gap that publishing waits for, if any. Costs a query only when a report is due.
    pub(crate) async fn look(
        &mut self,
        session: &mut PgConnection,
        waiting: Option<(&RangeInclusive<i64>, Instant)>,
        database: &str,
        meters: &Meters,
    ) -> sqlx::Result<()> {
        let now = Instant::now();
        let Some((missing, since)) = waiting else {
            if self.said_at.take().is_some() {
                tracing::info!(database, "the gap in the outbox has closed; publishing continues");
            }
            meters.stall_seconds.set(0.0);
            return Ok(());
        };
        let age = now.duration_since(since);
        meters.stall_seconds.set(age.as_secs_f64());
        if age < LONG || self.said_at.is_some_and(|at| now.duration_since(at) < AGAIN_AFTER) {
            return Ok(());
        }
        self.said_at = Some(now);
        let writer = writers::longest_open(session).await?;
        match writer {
            Some(writer) => tracing::warn!(
                database = writer.database,
                first_missing = missing.start(),
                waiting_seconds = age.as_secs_f64(),
                pid = writer.pid,
                application_name = writer.application_name,
                state = writer.state,
                open_seconds = writer.open_seconds,
                query_start = writer.query_start.map(tracing::field::display),
                query = writer.query,
                "publishing waits for a transaction that has written to the outbox and has not ended"
            ),
            None => {
                tracing::debug!(
                    database,
                    first_missing = missing.start(),
                    "the transaction that publishing waited for has ended"
                )
            }
        }
        Ok(())
    }
}
