//! What the notification service says.

use crate::{Order, publisher};

saga::events! { publisher::NOTIFICATION, order: Order,
    /// The mail has been handed to the mail system.
    NotificationSent {
        /// `receipt`, `welcome`, `cancellation` or `rejection`.
        kind: String,
    }
}
