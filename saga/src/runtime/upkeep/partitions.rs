//! Daily partitions of `inbox` and `outbox`.

use chrono::{DateTime, Duration, NaiveDate, NaiveTime, Utc};
use futures::FutureExt;

use super::{Retention, clocks::Clocks, step::Steps};

/// Tables that are partitioned by day.
const PARENTS: [&str; 2] = ["inbox", "outbox"];
/// Limit for counting the rows of a default partition.
const COUNT_AT_MOST: i64 = 100_000;

/// Creates missing partitions for today and the next days.
pub(super) async fn make(steps: &mut Steps<'_>, clocks: Clocks) {
    for parent in PARENTS {
        let Some(there) = days_of(steps, parent).await else { continue };
        for day in clocks.days().into_iter().filter(|day| !there.contains(day)) {
            let made = steps.run(format!("making {}", name(parent, day)), move |db| {
                sqlx::query("select upkeep_ensure_day($1, $2)").bind(parent).bind(day).execute(db).boxed()
            });
            made.await;
        }
    }
}

/// Drops partitions past their retention; one of the outbox only when the relay has published all of it.
pub(super) async fn drop_past(steps: &mut Steps<'_>, clocks: Clocks, retention: Retention) {
    for (parent, hours) in PARENTS.into_iter().zip([retention.inbox_hours, retention.outbox_hours]) {
        let Some(there) = days_of(steps, parent).await else { continue };
        let cutoff = clocks.cutoff(hours);
        for day in there.into_iter().filter(|&day| end_of(day) < cutoff) {
            let partition = name(parent, day);
            let step = format!("dropping {partition}");
            let dropped = steps.run(step, move |db| {
                sqlx::query_scalar("select upkeep_drop_day($1, $2)").bind(parent).bind(day).fetch_one(db).boxed()
            });
            if dropped.await == Some(true) {
                tracing::info!(partition, "partition dropped: past its retention");
            }
        }
    }
}

/// Counts the rows in the default partitions. Foreign ids belong there; any others mean that partitions are missing, or
/// that a clock is wrong.
pub(super) async fn observe(steps: &mut Steps<'_>) {
    for parent in PARENTS {
        let counted = steps.query(format!("counting {parent}_default"), move |db| {
            let count = sqlx::query_scalar::<_, i64>("select upkeep_default_rows($1, $2)");
            count.bind(parent).bind(COUNT_AT_MOST).fetch_one(db).boxed()
        });
        if let Some(rows) = counted.await {
            metrics::gauge!("default_partition_rows", "table" => parent).set(rows as f64);
        }
    }
}

async fn days_of(steps: &mut Steps<'_>, parent: &'static str) -> Option<Vec<NaiveDate>> {
    let names = steps.query(format!("listing the partitions of {parent}"), move |db| {
        sqlx::query_scalar::<_, String>(
            "select c.relname::text from pg_inherits i join pg_class c on c.oid = i.inhrelid
             where i.inhparent = $1::regclass order by 1",
        )
        .bind(parent)
        .fetch_all(db)
        .boxed()
    });
    Some(names.await?.iter().filter_map(|name| day_of(parent, name)).collect())
}

fn name(parent: &str, day: NaiveDate) -> String {
    format!("{parent}_{}", day.format("%Y%m%d"))
}

/// Day of a partition; `None` for the default partition and for tables that are not ours.
fn day_of(parent: &str, partition: &str) -> Option<NaiveDate> {
    let digits = partition.strip_prefix(parent)?.strip_prefix('_')?;
    let is_ours = digits.len() == 8 && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_ours.then(|| NaiveDate::parse_from_str(digits, "%Y%m%d").ok())?
}

fn end_of(day: NaiveDate) -> DateTime<Utc> {
    (day + Duration::days(1)).and_time(NaiveTime::MIN).and_utc()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_is_named_after_its_day_and_nothing_else_is_one() {
        let day = NaiveDate::from_ymd_opt(2026, 11, 21).expect("a day");
        assert_eq!(name("inbox", day), "inbox_20261121");
        assert_eq!(day_of("inbox", "inbox_20261121"), Some(day));
        for other in ["inbox_default", "outbox_20261121", "inbox_20261341", "inbox_+2026112", "inbox_202611210"] {
            assert_eq!(day_of("inbox", other), None, "{other}");
        }
    }

    #[test]
    fn a_day_ends_when_the_next_begins() {
        let day = NaiveDate::from_ymd_opt(2026, 12, 31).expect("a day");
        assert_eq!(end_of(day).to_rfc3339(), "2027-01-01T00:00:00+00:00");
    }
}
