//! A span of time.

use chrono::{DateTime, Utc};

/// A span of the times at which events were written, from `since` up to but not including `until`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Beginning, inclusive.
    pub since: DateTime<Utc>,
    /// End, exclusive.
    pub until: DateTime<Utc>,
}
