//! A span of time.

use chrono::{DateTime, Utc};

/// From when to when events were written; `until` is not part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Its beginning; rows written at this moment are in it.
    pub since: DateTime<Utc>,
    /// Its end; rows written at this moment are not.
    pub until: DateTime<Utc>,
}
