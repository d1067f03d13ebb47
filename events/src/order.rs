//! Events of the order service.

use crate::{Order, Reason, publisher};

saga::events! { publisher::ORDER, order: Order,
    /// Priced and stored as PENDING: the saga begins.
    OrderCreated {}
    /// Refused before the saga began.
    OrderRejected { reason: Reason }
    /// The buyer cancels. Inventory decides whether that came in time.
    OrderCancelRequested {}
    /// The deadline passed while PENDING. Inventory decides whether that came in time.
    OrderTimedOut {}
    /// Everything that was bought has been delivered.
    OrderCompleted {}
    /// Everything that was done has been undone.
    OrderCancelled {
        reason: Reason,
        /// Amount returned to the buyer, in minor units of the order's currency; 0 if nothing had been taken.
        refunded: i64,
    }
}
