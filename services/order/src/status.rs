//! The public status of an order.

use std::{fmt, str::FromStr};

/// Begins PENDING or REJECTED; ends COMPLETED, CANCELLED or REJECTED.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// The saga is running.
    Pending,
    /// The saga may be compensating: inventory decides whether the cancellation came in time.
    Cancelling,
    Completed,
    Cancelled,
    /// Rejected before it began.
    Rejected,
}

impl Status {
    pub const ALL: [Status; 5] =
        [Status::Pending, Status::Cancelling, Status::Completed, Status::Cancelled, Status::Rejected];

    /// The value in the `status` column.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Pending => "PENDING",
            Status::Cancelling => "CANCELLING",
            Status::Completed => "COMPLETED",
            Status::Cancelled => "CANCELLED",
            Status::Rejected => "REJECTED",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Status {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Status::ALL.into_iter().find(|status| status.as_str() == text).ok_or_else(|| format!("`{text}` is no status"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read_as_it_is_written() {
        for status in Status::ALL {
            assert_eq!(status.to_string(), status.as_str());
            assert_eq!(status.as_str().parse(), Ok(status));
        }
        assert!("pending".parse::<Status>().is_err());
    }
}
