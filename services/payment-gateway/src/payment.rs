//! The life of one payment: every state, every operation, every outcome.

use serde::{Deserialize, Serialize};

/// The state of a payment. An unknown payment has no state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// The amount is held on the card.
    Authorized,
    /// The card refused the charge.
    Declined,
    /// The money has been collected.
    Captured,
    /// Nothing is held, and nothing ever will be.
    Voided,
    /// The captured amount has been returned.
    Refunded,
}

/// The operations that a client may request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    Authorize,
    Capture,
    Void,
    Refund,
}

/// Behaviour of the card behind a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Card {
    Good,
    /// Refuses to be charged.
    Declined,
    /// Can be charged, but the money cannot be collected.
    CaptureDeclined,
}

/// Outcome of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// The payment changes to this state: a booking.
    Becomes(State),
    /// The payment is already in the requested state.
    Stays(State),
    Refused(Refusal),
}

/// The reason why a request is refused without changing anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    UnknownPayment,
    /// The id belongs to a payment that has already been authorized.
    PaymentExists,
    /// Voided, perhaps before it was ever authorized.
    PaymentVoided,
    PaymentDeclined,
    PaymentRefunded,
    /// Nothing can be refunded: void instead.
    NotCaptured,
    /// Nothing is held any more: refund instead.
    AlreadyCaptured,
    /// The card refuses the authorization, or the capture.
    CardDeclined,
}

/// The outcome of an operation on a payment in a state; `None` is an unknown payment.
pub fn decide(state: Option<State>, operation: Operation, card: Card) -> Decision {
    use Decision::{Becomes, Refused, Stays};
    use Operation::{Authorize, Capture, Refund, Void};
    use Refusal::{
        AlreadyCaptured, CardDeclined, NotCaptured, PaymentDeclined, PaymentExists, PaymentRefunded, PaymentVoided,
        UnknownPayment,
    };
    use State::{Authorized, Captured, Declined, Refunded, Voided};

    match (state, operation) {
        (None, Authorize) => match card {
            Card::Good | Card::CaptureDeclined => Becomes(Authorized),
            Card::Declined => Becomes(Declined),
        },
        (None, Capture) => Refused(UnknownPayment),
        // The void overtook the authorization, or there was none. Recorded, so that a late authorization is refused.
        (None, Void) => Becomes(Voided),
        (None, Refund) => Refused(UnknownPayment),

        (Some(Authorized), Authorize) => Refused(PaymentExists),
        (Some(Authorized), Capture) => match card {
            Card::Good | Card::Declined => Becomes(Captured),
            Card::CaptureDeclined => Refused(CardDeclined),
        },
        (Some(Authorized), Void) => Becomes(Voided),
        (Some(Authorized), Refund) => Refused(NotCaptured),

        (Some(Declined), Authorize) => Refused(CardDeclined),
        (Some(Declined), Capture) => Refused(PaymentDeclined),
        // Nothing is held, so the void is already satisfied.
        (Some(Declined), Void) => Stays(Declined),
        (Some(Declined), Refund) => Refused(NotCaptured),

        (Some(Captured), Authorize) => Refused(PaymentExists),
        (Some(Captured), Capture) => Stays(Captured),
        (Some(Captured), Void) => Refused(AlreadyCaptured),
        (Some(Captured), Refund) => Becomes(Refunded),

        (Some(Voided), Authorize) => Refused(PaymentVoided),
        (Some(Voided), Capture) => Refused(PaymentVoided),
        (Some(Voided), Void) => Stays(Voided),
        (Some(Voided), Refund) => Refused(NotCaptured),

        (Some(Refunded), Authorize) => Refused(PaymentExists),
        (Some(Refunded), Capture) => Refused(PaymentRefunded),
        // Nothing is held and the money is back, so the void is satisfied.
        (Some(Refunded), Void) => Stays(Refunded),
        (Some(Refunded), Refund) => Stays(Refunded),
    }
}
