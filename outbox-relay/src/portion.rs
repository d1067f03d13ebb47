//! The size of the next read.

/// Target size of a read in bytes of payload: some tens of milliseconds' worth.
const BYTES: usize = 4 << 20;
/// Size in bytes of payload at which a read is cut off.
pub(crate) const BYTES_MAX: usize = 4 * BYTES;
/// Rows of the first read: not much even if each is as large as an event may be.
const FIRST: i64 = 16;
/// Maximum growth from one read to the next, since rows may have become larger.
const GROWTH: i64 = 4;
/// Maximum number of rows of a read while partitions have yet to accept their first record: most of a long read would be wasted.
const OPENING: i64 = 64;

/// The size of the next read, learnt from those before.
#[derive(Debug)]
pub(crate) struct Portion {
    rows: i64,
    max: i64,
    opening: bool,
}

impl Portion {
    pub(crate) fn new(max: i64) -> Self {
        Portion { rows: FIRST.min(max), max, opening: false }
    }

    pub(crate) fn rows(&self) -> i64 {
        if self.opening { self.rows.min(OPENING) } else { self.rows }
    }

    /// Adjusts the size to a read that returned `rows` rows with `bytes` of payload.
    pub(crate) fn brought(&mut self, rows: usize, bytes: usize) {
        if let Some(bytes_per_row) = bytes.checked_div(rows) {
            let fitting = i64::try_from(BYTES / bytes_per_row.max(1)).unwrap_or(i64::MAX);
            self.rows = fitting.min(self.rows.saturating_mul(GROWTH)).clamp(1, self.max);
        }
    }

    /// Halves the size after a read of `limit` rows took too long.
    pub(crate) fn halve(&mut self, limit: i64) {
        self.rows = (limit / 2).max(1);
    }

    /// Records if rows had to wait for a partition that has yet to accept its first record.
    pub(crate) fn opening(&mut self, opening: bool) {
        self.opening = opening;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_rows_are_soon_read_as_many_as_are_allowed() {
        let mut portion = Portion::new(2000);
        assert_eq!(portion.rows(), 16);
        portion.brought(16, 16 * 500);
        assert_eq!(portion.rows(), 64);
        portion.brought(64, 64 * 500);
        portion.brought(256, 256 * 500);
        assert_eq!(portion.rows(), 1024);
        portion.brought(1000, 1000 * 500);
        assert_eq!(portion.rows(), 2000);
        portion.brought(0, 0);
        assert_eq!(portion.rows(), 2000, "an empty read says nothing");
    }

    #[test]
    fn large_rows_are_read_few_at_once() {
        let mut portion = Portion::new(2000);
        portion.brought(250, 250 * 700_000);
        assert_eq!(portion.rows(), 5);
        portion.brought(1, 70_000_000);
        assert_eq!(portion.rows(), 1, "never none");
        portion.brought(1, 500);
        assert_eq!(portion.rows(), 4, "and slowly up again");
    }

    #[test]
    fn a_read_that_takes_too_long_is_halved_down_to_one_row() {
        let mut portion = Portion::new(2000);
        for _ in 0..20 {
            portion.halve(portion.rows());
        }
        assert_eq!(portion.rows(), 1);
    }

    #[test]
    fn half_of_what_was_read_is_read_next() {
        let mut portion = Portion::new(2000);
        for _ in 0..4 {
            portion.brought(1000, 1000 * 500);
        }
        assert_eq!(portion.rows(), 2000);
        portion.halve(32);
        assert_eq!(portion.rows(), 16);
    }

    #[test]
    fn reads_are_short_while_partitions_open() {
        let mut portion = Portion::new(2000);
        for _ in 0..4 {
            portion.brought(1000, 1000 * 500);
        }
        portion.opening(true);
        assert_eq!(portion.rows(), 64);
        portion.opening(false);
        assert_eq!(portion.rows(), 2000);
    }
}
