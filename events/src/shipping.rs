//! What the shipping service says.

use crate::{Order, Reason, publisher};

saga::events! { publisher::SHIPPING, order: Order,
    /// The parcel is booked.
    ShipmentArranged {
        /// The carrier's number, for the buyer.
        tracking_no: String,
    }
    /// The parcel cannot travel.
    ShipmentRejected { reason: Reason }
    /// The parcel stays, or there was none.
    ShipmentCancelled { reason: Reason }
}
