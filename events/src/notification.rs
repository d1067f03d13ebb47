//! Events of the notification service.

use crate::{Order, publisher};

saga::events! { publisher::NOTIFICATION, order: Order,
    /// The mail has been handed to the mail system.
    NotificationSent {
        /// `receipt`, `welcome`, `cancellation` or `rejection`.
        kind: String,
    }
}
