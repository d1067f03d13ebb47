//! The metrics of one database's relay.

use metrics::{Counter, Gauge, counter, gauge};

/// All labelled by `database`.
pub(crate) struct Meters {
    /// 1 while this process leads, 0 while it stands by or has no database.
    pub(crate) is_active: Gauge,
    /// Rows that the broker has acknowledged.
    pub(crate) published: Counter,
    /// The backlog, as a difference of numbers: one that was rolled back counts until it is passed.
    pub(crate) lag_rows: Gauge,
    /// Partitions that accept nothing or have yet to catch up, while the others continue.
    pub(crate) partitions_behind: Gauge,
    /// Age of the gap that publishing waits for, in seconds; 0 if there is none.
    pub(crate) stall_seconds: Gauge,
    /// Numbers that were passed because their transactions rolled back.
    pub(crate) lost_numbers: Counter,
    /// Refusals; each is retried.
    pub(crate) refused: Counter,
}

impl Meters {
    pub(crate) fn new(database: &str) -> Self {
        let label = [("database", database.to_owned())];
        Meters {
            is_active: gauge!("relay_is_active", &label),
            published: counter!("relay_published_total", &label),
            lag_rows: gauge!("relay_lag_rows", &label),
            partitions_behind: gauge!("relay_partitions_behind", &label),
            stall_seconds: gauge!("relay_stall_seconds", &label),
            lost_numbers: counter!("relay_lost_numbers_total", &label),
            refused: counter!("relay_refused_total", &label),
        }
    }
}

/// The metrics end with the tenure: after it this process does not lead the database.
impl Drop for Meters {
    fn drop(&mut self) {
        for gauge in [&self.is_active, &self.lag_rows, &self.partitions_behind, &self.stall_seconds] {
            gauge.set(0.0);
        }
    }
}
