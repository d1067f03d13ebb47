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
use personal_data::{PersonKeys, Unsealed};
use serde::{Deserialize, Serialize};

use crate::letter::LetterKind;

/// The request of the attempt `mail`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Mail {
    pub order: Order,
    pub kind: LetterKind,
    /// `someone@example.org` or `Some One <someone@example.org>`; sealed where it is stored.
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

    /// The mail as it is stored: recipient, subject and body sealed under the buyer's key, if there is one.
    ///
    /// # Errors
    /// If the buyer has been erased, or his key is not there.
    pub fn sealed(self, keys: &PersonKeys) -> Result<Self, Unsealed> {
        self.each(|buyer, place, text| keys.seal(buyer, place, text))
    }

    /// The mail as it is sent.
    ///
    /// # Errors
    /// If the buyer has been erased, or it was sealed for another order or buyer.
    pub fn opened(self, keys: &PersonKeys) -> Result<Self, Unsealed> {
        self.each(|buyer, place, text| keys.open(buyer, place, text))
    }

    fn each(self, turn: impl Fn(i64, &str, &str) -> Result<String, Unsealed>) -> Result<Self, Unsealed> {
        let (buyer, order) = (self.order.user_id.0, self.order.order_id);
        let turned = |part: &str, text: &str| turn(buyer, &events::personal::letter(order, part), text);
        Ok(Mail {
            recipient: turned("recipient", &self.recipient)?,
            subject: turned("subject", &self.subject)?,
            body: turned("body", &self.body)?,
            ..self
        })
    }

    /// The mail as an RFC 5322 message. Its Message-ID derives from its name, so that duplicates can be recognised.
    ///
    /// # Errors
    /// If the recipient is not an address.
    pub fn message(&self, sender: &Mailbox) -> anyhow::Result<Message> {
        // Errors are logged: the recipient is not repeated.
        let recipient: Mailbox = self.recipient.parse().context("the recipient is not an address")?;
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
