//! What the entitlement service says.

use crate::{Order, Reason, publisher};

saga::events! { publisher::ENTITLEMENT, order: Order,
    /// The digital items are unlocked for the buyer.
    EntitlementGranted {}
    /// They will not be unlocked.
    EntitlementRejected { reason: Reason }
    /// The unlock has been taken back, or there was none.
    EntitlementRevoked { reason: Reason }
}
