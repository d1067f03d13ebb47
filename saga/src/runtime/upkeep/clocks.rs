//! The database's clock, which dates rows, and this machine's, which dates ids. Either may be wrong.

use chrono::{DateTime, Duration, NaiveDate, Utc};
use futures::{FutureExt, future::BoxFuture};
use sqlx::PgConnection;

/// Number of days after today whose partitions are created in advance.
const DAYS_AHEAD: i64 = 2;
/// Difference above which a warning is logged.
const WORTH_A_WARNING: Duration = Duration::minutes(1);

/// One moment, read from both clocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clocks {
    pub(super) database: DateTime<Utc>,
    pub(super) host: DateTime<Utc>,
}

pub(super) fn database(db: &mut PgConnection) -> BoxFuture<'_, sqlx::Result<DateTime<Utc>>> {
    sqlx::query_scalar("select clock_timestamp()").fetch_one(db).boxed()
}

impl Clocks {
    /// Time before which a row is older than `hours` by both clocks: a clock that jumps ahead makes nothing old.
    pub(super) fn cutoff(self, hours: u32) -> DateTime<Utc> {
        let now = self.database.min(self.host);
        now.checked_sub_signed(Duration::hours(hours.into())).unwrap_or(DateTime::<Utc>::MIN_UTC)
    }

    /// Days whose partitions must exist, by either clock.
    pub(super) fn days(self) -> Vec<NaiveDate> {
        let mut days: Vec<NaiveDate> = [self.database, self.host]
            .into_iter()
            .flat_map(|now| (0..=DAYS_AHEAD).map(move |ahead| (now + Duration::days(ahead)).date_naive()))
            .collect();
        days.sort_unstable();
        days.dedup();
        days
    }

    pub(super) fn observe(self) {
        let ahead = self.database - self.host;
        metrics::gauge!("database_clock_ahead_seconds").set(ahead.num_milliseconds() as f64 / 1000.0);
        if ahead.abs() > WORTH_A_WARNING {
            tracing::warn!(
                database = %self.database,
                host = %self.host,
                "the clocks of the database and of this machine differ; upkeep removes only what is old by both"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    #[test]
    fn nothing_is_old_because_one_clock_jumped_ahead() {
        let (right, ahead) = (at("2026-11-21T12:00:00Z"), at("2027-11-21T12:00:00Z"));
        for clocks in [Clocks { database: right, host: ahead }, Clocks { database: ahead, host: right }] {
            assert_eq!(clocks.cutoff(24), at("2026-11-20T12:00:00Z"));
        }
    }

    #[test]
    fn each_clock_has_the_partitions_of_its_days() {
        let clocks = Clocks { database: at("2026-12-30T23:59:59Z"), host: at("2026-12-31T00:00:01Z") };
        let days: Vec<String> = clocks.days().iter().map(NaiveDate::to_string).collect();
        assert_eq!(days, ["2026-12-30", "2026-12-31", "2027-01-01", "2027-01-02"]);
    }
}
