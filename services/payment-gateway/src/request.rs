//! What clients ask for, and the record of what became of it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::payment::{Operation, Verdict};

/// One request under one idempotency key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    pub idempotency_key: String,
    pub payment_id: Uuid,
    pub command: Command,
}

/// What is asked for, with all that it takes.
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

/// An amount on a card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Charge {
    /// Minor units of `currency`.
    pub amount: i64,
    pub currency: String,
    /// Stands for a card; the provider alone knows which.
    pub token: String,
}

impl Charge {
    /// What is wrong with it, if anything.
    pub fn fault(&self) -> Option<&'static str> {
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

/// A request with what became of it: all that has to be kept to keep the books.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    pub at: DateTime<Utc>,
    pub request: Request,
    pub verdict: Verdict,
}
