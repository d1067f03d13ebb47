//! A disagreement, and its remedy.

use std::fmt;

use events::OrderId;
use outbox_relay::Span;

use super::{charges::Charge, look::Seen, next::Fresh};
use crate::Database;

/// A finding with its remedy.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// None if it does not concern a single order.
    pub order: Option<OrderId>,
    pub what: String,
    pub remedy: Remedy,
    /// What the case is based on.
    pub(super) evidence: Evidence,
}

/// Basis of a case.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Evidence {
    /// Published rows that Kafka does not have: waiting does not bring them back.
    Lost,
    /// The state of an order in all services.
    Order(Box<Seen>),
    /// The state of a charge, and that of its payment.
    Charge(Charge, Option<Box<Seen>>),
}

impl Case {
    /// Tells whether this is the same case as `before`, and nothing has happened since.
    pub(super) fn is_unchanged_since(&self, before: &Case) -> bool {
        let same = match (&self.evidence, &before.evidence) {
            (Evidence::Lost, Evidence::Lost) => true,
            (Evidence::Order(now), Evidence::Order(before)) => now.is_unchanged(before),
            (Evidence::Charge(now, None), Evidence::Charge(before, None)) => now == before,
            (Evidence::Charge(now, Some(of)), Evidence::Charge(before, Some(of_before))) => {
                now == before && of.is_unchanged(of_before)
            }
            _ => false,
        };
        same && self.order == before.order && self.remedy == before.remedy
    }
}

/// A repair.
#[derive(Debug, Clone, PartialEq)]
pub enum Remedy {
    /// Publish a span of an outbox again, in full: consumers drop the events that they have seen.
    Replay { database: Database, span: Span },
    /// Publish these events, in this order.
    Say(Vec<Fresh>),
    /// Have the gateway release money: `void` or `refund`.
    LetGo { payment_id: String, operation: &'static str },
    /// Only an operator can decide what is right.
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
