//! Something that does not agree, and what would mend it.

use std::fmt;

use events::OrderId;
use outbox_relay::Span;

use super::next::Fresh;
use crate::stack::Database;

/// A finding with its remedy.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// None if it is about no single order.
    pub order: Option<OrderId>,
    pub what: String,
    pub remedy: Remedy,
}

/// What would mend it.
#[derive(Debug, Clone, PartialEq)]
pub enum Remedy {
    /// Publish a span of an outbox again: all of it, for whoever has seen an event drops it.
    Replay { database: Database, span: Span },
    /// Say these events, in this order.
    Say(Vec<Fresh>),
    /// Have the gateway let go of money: `void` or `refund`.
    LetGo { payment_id: String, operation: &'static str },
    /// Only a person can tell what is right.
    Person(String),
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Remedy::Replay { database, span } => {
                let (since, until) = (span.since.to_rfc3339(), span.until.to_rfc3339());
                write!(f, "publish again what {database} said from {since} to {until}")
            }
            Remedy::Say(events) => {
                let said: Vec<String> =
                    events.iter().map(|event| format!("{} on {}", event.event_type, event.topic)).collect();
                write!(f, "say {}", said.join(" and "))
            }
            Remedy::LetGo { payment_id, operation } => write!(f, "{operation} the charge {payment_id} at the gateway"),
            Remedy::Person(why) => write!(f, "a person is needed: {why}"),
        }
    }
}
