//! What the inventory service says.

use crate::{Order, ProductId, Reason, publisher};

saga::events! { publisher::INVENTORY, order: Order,
    /// Every item is held.
    StockReserved {}
    /// Nothing is held: one item was not to be had, so none was taken.
    StockRejected {
        reason: Reason,
        /// The first item that was not to be had.
        product_id: ProductId,
    }
    /// The items have left the stock for good: from here the saga completes.
    StockCommitted {}
    /// The items are back, or none had been held.
    StockReleased { reason: Reason }
}
