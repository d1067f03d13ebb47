//! What the entitlement service says.

use crate::{Reason, event::publishes};

publishes! { Entitlement:
    /// The digital items are unlocked for the buyer.
    EntitlementGranted {}
    /// They will not be unlocked.
    EntitlementRejected { reason: Reason }
    /// The unlock has been taken back, or there was none.
    EntitlementRevoked { reason: Reason }
}
