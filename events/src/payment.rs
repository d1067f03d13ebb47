//! What the payment service says.

use crate::{Order, Reason, publisher};

saga::events! { publisher::PAYMENT, order: Order,
    /// The payment method holds the total.
    PaymentAuthorized {}
    /// The payment method will not pay.
    PaymentDeclined { reason: Reason }
    /// The money has been collected.
    PaymentCaptured {}
    /// The authorization could not be turned into money.
    PaymentCaptureFailed { reason: Reason }
    /// The authorization has been dropped, or there was none.
    PaymentVoided { reason: Reason }
    /// Collected money has been given back.
    PaymentRefunded { reason: Reason }
}
