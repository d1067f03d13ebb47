//! Events of the entitlement service.

use crate::{Order, Reason, publisher};

saga::events! { publisher::ENTITLEMENT, order: Order,
    /// The digital items are unlocked for the buyer.
    EntitlementGranted {}
    /// The digital items will not be unlocked.
    EntitlementRejected { reason: Reason }
    /// The unlock has been revoked, or there was none.
    EntitlementRevoked { reason: Reason }
}
