//! Requests of clients, and the record of their outcomes.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    fingerprint::Fingerprint,
    payment::{Decision, Operation},
};

/// One request under one idempotency key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    pub idempotency_key: String,
    pub payment_id: Uuid,
    pub command: Command,
}

/// The operation, with its parameters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "operation", rename_all = "snake_case")]
pub enum Command {
    Authorize(Charge),
    Capture,
    Void,
    Refund,
}

impl Command {
    pub fn operation(&self) -> Operation {
        match self {
            Command::Authorize(_) => Operation::Authorize,
            Command::Capture => Operation::Capture,
            Command::Void => Operation::Void,
            Command::Refund => Operation::Refund,
        }
    }
}

/// An amount charged to a card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Stored")]
pub struct Charge {
    /// Minor units of `currency`.
    pub amount: i64,
    pub currency: String,
    pub card: Fingerprint,
}

/// A charge as the file has it.
#[derive(Deserialize)]
struct Stored {
    amount: i64,
    currency: String,
    #[serde(flatten)]
    card: StoredCard,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum StoredCard {
    Card(Fingerprint),
    /// In a file of an earlier version.
    Token(String),
}

impl From<Stored> for Charge {
    fn from(Stored { amount, currency, card }: Stored) -> Self {
        let card = match card {
            StoredCard::Card(card) => card,
            StoredCard::Token(token) => Fingerprint::of(&token),
        };
        Charge { amount, currency, card }
    }
}

/// The body of an authorization. Without `Debug`, so that no log has the token.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    amount: i64,
    currency: String,
    /// Stands for a card that only the provider knows.
    token: String,
}

impl Wanted {
    pub(crate) fn charge(self) -> Charge {
        Charge { amount: self.amount, currency: self.currency, card: Fingerprint::of(&self.token) }
    }

    /// The reason why the charge is invalid, if it is.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        let currency = self.currency.as_bytes();
        if self.amount < 0 {
            Some("amount is negative")
        } else if currency.len() != 3 || !currency.iter().all(u8::is_ascii_uppercase) {
            Some("currency is not three capital letters")
        } else if self.token.is_empty() || self.token.len() > 255 {
            Some("token is empty or longer than 255 bytes")
        } else {
            None
        }
    }
}

/// A request with its outcome: all that is needed to rebuild the books.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    pub at: DateTime<Utc>,
    pub request: Request,
    pub verdict: Decision,
}
