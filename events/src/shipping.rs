//! Events of the shipping service.

use crate::{Order, Reason, publisher};

saga::events! { publisher::SHIPPING, order: Order,
    /// The parcel is booked.
    ShipmentArranged {
        /// The carrier's tracking number, for the buyer.
        tracking_no: String,
    }
    /// The parcel cannot be shipped.
    ShipmentRejected { reason: Reason }
    /// The parcel will not be shipped, or there was none.
    ShipmentCancelled { reason: Reason }
}
