//! What the order service says.

use crate::{Order, Reason, publisher};

saga::events! { publisher::ORDER, order: Order,
    /// Priced and stored as PENDING: the saga begins.
    OrderCreated {}
    /// Not even begun.
    OrderRejected { reason: Reason }
    /// The buyer wants out. Inventory decides whether that came in time.
    OrderCancelRequested {}
    /// The deadline passed while PENDING. Inventory decides whether that came in time.
    OrderTimedOut {}
    /// Everything that was bought has been handed out.
    OrderCompleted {}
    /// Everything that was done has been undone.
    OrderCancelled {
        reason: Reason,
        /// What went back to the buyer, in minor units of the order's currency; 0 where nothing had been taken.
        refunded: i64,
    }
}
