//! What an operator sees of one database's relay on `/metrics`.

use metrics::{Counter, Gauge, counter, gauge};

/// All labelled by `database`.
pub(crate) struct Meters {
    /// 1 while this process leads, 0 while it stands by or has no database.
    pub(crate) is_active: Gauge,
    /// Rows that the broker has acknowledged.
    pub(crate) published: Counter,
    /// Rows, seen by number, that are not published yet. Numbers that were rolled back count until they are passed.
    pub(crate) lag_rows: Gauge,
    /// Partitions that take nothing or have yet to catch up, while the others go on.
    pub(crate) partitions_behind: Gauge,
    /// Age of the gap that is waited for; 0 if there is none.
    pub(crate) stall_seconds: Gauge,
    /// Numbers that were passed because their transactions rolled back.
    pub(crate) lost_numbers: Counter,
    /// Sends that failed and are tried again.
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

/// Meters last as long as a tenure; after it this process has nothing to say about the database.
impl Drop for Meters {
    fn drop(&mut self) {
        for gauge in [&self.is_active, &self.lag_rows, &self.partitions_behind, &self.stall_seconds] {
            gauge.set(0.0);
        }
    }
}
