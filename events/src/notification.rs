//! What the notification service says.

use crate::event::publishes;

publishes! { Notification:
    /// The mail has been handed to the mail system.
    NotificationSent {
        /// `receipt`, `welcome`, `cancellation` or `rejection`.
        kind: String,
    }
}
