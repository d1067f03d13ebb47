//! The phases of a payment.

use events::Reason;
use saga::barrier::Status;

/// The state that decisions are based on. The public `status` follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// The gateway has been asked to authorize the total.
    Authorizing,
    /// The total is held.
    Authorized,
    /// Declined.
    Declined(Reason),
    /// The gateway has been asked to capture. A cancellation meanwhile is recorded.
    Capturing { cancel: Option<Reason> },
    /// Captured.
    Captured,
    /// Held, but the capture failed.
    CaptureFailed(Reason),
    /// The gateway has been asked to void.
    Voiding(Reason),
    /// Nothing is held any more.
    Voided(Reason),
    /// The gateway has been asked to refund.
    Refunding(Reason),
    /// Given back.
    Refunded(Reason),
    /// Cancelled before it was requested, and remembered.
    Cancelled(Reason),
}

/// The columns of a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Columns<'a> {
    pub phase: &'a str,
    /// The reason why it was declined or undone.
    pub reason: Option<Reason>,
    /// A recorded cancellation that has not been answered yet.
    pub cancel_reason: Option<Reason>,
}

impl Phase {
    /// The value in the `phase` column.
    pub fn as_str(self) -> &'static str {
        self.columns().phase
    }

    /// The value in the `status` column, for operators and auditors.
    pub fn status(self) -> &'static str {
        match self {
            Phase::Authorizing => "PENDING",
            // Until the gateway has confirmed the void, the money counts as held.
            Phase::Authorized | Phase::Capturing { .. } | Phase::CaptureFailed(_) | Phase::Voiding(_) => {
                Status::Reserved.as_str()
            }
            Phase::Captured | Phase::Refunding(_) => Status::Confirmed.as_str(),
            Phase::Voided(_) | Phase::Cancelled(_) => Status::Cancelled.as_str(),
            Phase::Refunded(_) => Status::Refunded.as_str(),
            Phase::Declined(_) => Status::Rejected.as_str(),
        }
    }

    /// The phase as stored.
    pub fn columns(self) -> Columns<'static> {
        let columns = |phase, reason, cancel_reason| Columns { phase, reason, cancel_reason };
        match self {
            Phase::Authorizing => columns("authorizing", None, None),
            Phase::Authorized => columns("authorized", None, None),
            Phase::Declined(reason) => columns("declined", Some(reason), None),
            Phase::Capturing { cancel } => columns("capturing", None, cancel),
            Phase::Captured => columns("captured", None, None),
            Phase::CaptureFailed(reason) => columns("capture_failed", Some(reason), None),
            Phase::Voiding(reason) => columns("voiding", None, Some(reason)),
            Phase::Voided(reason) => columns("voided", Some(reason), None),
            Phase::Refunding(reason) => columns("refunding", None, Some(reason)),
            Phase::Refunded(reason) => columns("refunded", Some(reason), None),
            Phase::Cancelled(reason) => columns("cancelled", Some(reason), None),
        }
    }

    pub(crate) fn from_columns(columns: Columns<'_>) -> Result<Phase, String> {
        let Columns { phase, reason, cancel_reason } = columns;
        let reason = reason.ok_or_else(|| format!("{phase} without a reason"));
        let cancel = cancel_reason.ok_or_else(|| format!("{phase} without a cancel_reason"));
        match phase {
            "authorizing" => Ok(Phase::Authorizing),
            "authorized" => Ok(Phase::Authorized),
            "declined" => reason.map(Phase::Declined),
            "capturing" => Ok(Phase::Capturing { cancel: cancel_reason }),
            "captured" => Ok(Phase::Captured),
            "capture_failed" => reason.map(Phase::CaptureFailed),
            "voiding" => cancel.map(Phase::Voiding),
            "voided" => reason.map(Phase::Voided),
            "refunding" => cancel.map(Phase::Refunding),
            "refunded" => reason.map(Phase::Refunded),
            "cancelled" => reason.map(Phase::Cancelled),
            other => Err(format!("`{other}` is no phase")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_is_read_as_it_is_written() {
        let reason = Reason::TimedOut;
        for phase in [
            Phase::Authorizing,
            Phase::Authorized,
            Phase::Declined(reason),
            Phase::Capturing { cancel: None },
            Phase::Capturing { cancel: Some(reason) },
            Phase::Captured,
            Phase::CaptureFailed(reason),
            Phase::Voiding(reason),
            Phase::Voided(reason),
            Phase::Refunding(reason),
            Phase::Refunded(reason),
            Phase::Cancelled(reason),
        ] {
            assert_eq!(Phase::from_columns(phase.columns()), Ok(phase));
        }
    }

    /// Operators, auditors and reconcile rely on these values.
    #[test]
    fn phases_keep_their_words() {
        let reason = Reason::TimedOut;
        for (phase, word, status) in [
            (Phase::Authorizing, "authorizing", "PENDING"),
            (Phase::Authorized, "authorized", "RESERVED"),
            (Phase::Declined(reason), "declined", "REJECTED"),
            (Phase::Capturing { cancel: None }, "capturing", "RESERVED"),
            (Phase::Captured, "captured", "CONFIRMED"),
            (Phase::CaptureFailed(reason), "capture_failed", "RESERVED"),
            (Phase::Voiding(reason), "voiding", "RESERVED"),
            (Phase::Voided(reason), "voided", "CANCELLED"),
            (Phase::Refunding(reason), "refunding", "CONFIRMED"),
            (Phase::Refunded(reason), "refunded", "REFUNDED"),
            (Phase::Cancelled(reason), "cancelled", "CANCELLED"),
        ] {
            assert_eq!((phase.as_str(), phase.status()), (word, status));
        }
    }

    #[test]
    fn an_undoing_without_a_reason_is_no_phase() {
        for phase in ["declined", "capture_failed", "voiding", "voided", "refunding", "refunded", "cancelled", "lost"] {
            let columns = Columns { phase, reason: None, cancel_reason: None };
            assert!(Phase::from_columns(columns).is_err(), "{phase}");
        }
    }
}
