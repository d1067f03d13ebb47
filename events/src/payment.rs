//! Events of the payment service.

use crate::{Order, Reason, publisher};

saga::events! { publisher::PAYMENT, order: Order,
    /// The payment method holds the total.
    PaymentAuthorized {}
    /// The payment method refuses the payment.
    PaymentDeclined { reason: Reason }
    /// The money has been collected.
    PaymentCaptured {}
    /// The capture of the authorization failed.
    PaymentCaptureFailed { reason: Reason }
    /// The authorization has been released, or there was none.
    PaymentVoided { reason: Reason }
    /// Captured money has been refunded.
    PaymentRefunded { reason: Reason }
}
