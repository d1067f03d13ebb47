//! A span of time.

use chrono::{DateTime, Utc};

/// From when to when events were written; `until` is not part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub since: DateTime<Utc>,
    pub until: DateTime<Utc>,
}
