//! A mail, stored before it is sent with everything that its delivery needs, so that every attempt sends the same bytes.

use anyhow::Context;
use chrono::{DateTime, Utc};
use events::Order;
use lettre::{
    Message,
    message::{
        Mailbox,
        header::{ContentType, HeaderName, HeaderValue},
    },
};
use serde::{Deserialize, Serialize};

use crate::letter::LetterKind;

/// The request of the attempt `mail`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Mail {
    pub order: Order,
    pub kind: LetterKind,
    /// `someone@example.org` or `Some One <someone@example.org>`.
    pub recipient: String,
    pub subject: String,
    pub body: String,
    pub written_at: DateTime<Utc>,
}

impl Mail {
    /// Name of the mail: `<order id>-<kind>`.
    pub fn name(&self) -> String {
        format!("{}-{}", self.order.order_id, self.kind)
    }

    /// The mail as an RFC 5322 message. Its Message-ID derives from its name, so that duplicates can be recognised.
    ///
    /// # Errors
    /// If the recipient is not an address.
    pub fn message(&self, sender: &Mailbox) -> anyhow::Result<Message> {
        let recipient: Mailbox =
            self.recipient.parse().with_context(|| format!("the recipient `{}` is not an address", self.recipient))?;
        Message::builder()
            .from(sender.clone())
            .to(recipient)
            .subject(&self.subject)
            .message_id(Some(format!("<{}@{}>", self.name(), sender.email.domain())))
            .date(self.written_at.into())
            // RFC 3834: suppresses out-of-office replies.
            .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned()))
            .header(ContentType::TEXT_PLAIN)
            .body(self.body.clone())
            .context("building the mail")
    }
}
