//! Events of the inventory service.

use crate::{Order, ProductId, Reason, publisher};

saga::events! { publisher::INVENTORY, order: Order,
    /// Every item is held.
    StockReserved {}
    /// Nothing is held: one item was unavailable, so none was taken.
    StockRejected {
        reason: Reason,
        /// The first unavailable item.
        product_id: ProductId,
    }
    /// The items have left the stock for good: from here the saga completes.
    StockCommitted {}
    /// The items are back in stock, or none were held.
    StockReleased { reason: Reason }
}
