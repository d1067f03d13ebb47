//! What came and what was said, order by order: the timeline that the buyer sees.

use chrono::{DateTime, Utc};
use events::{
    Event, Kind, OrderId, Publisher,
    account::{BalanceRefunded, BalanceRejected, BalanceReleased},
    entitlement::{EntitlementGranted, EntitlementRejected, EntitlementRevoked},
    request::ORDER_REQUESTED,
    shipping::{ShipmentArranged, ShipmentCancelled, ShipmentRejected},
};
use kit::Says;

use crate::command::{Command, Settlement, Turn};

/// One event in an order's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Entry {
    pub order_id: OrderId,
    pub at: DateTime<Utc>,
    pub event: &'static str,
    pub publisher: Publisher,
}

/// What a decision adds: what it heard, then what it said; nothing if it changed nothing.
pub(crate) fn entries(command: &Command, says: &Says, now: DateTime<Utc>) -> Vec<Entry> {
    if says.ignored.is_some() || says.refused.is_some() {
        return Vec::new();
    }
    let said = says.events.iter().map(|said| (said.event_type, Publisher::Order));
    let entry = |(event, publisher)| Entry { order_id: command.order_id(), at: now, event, publisher };
    heard(command).into_iter().chain(said).map(entry).collect()
}

/// The event that a command stands for; none for what a person or a deadline wants.
fn heard(command: &Command) -> Option<(&'static str, Publisher)> {
    fn of<E: Event>() -> Option<(&'static str, Publisher)> {
        Some((E::TYPE, E::PUBLISHER))
    }
    match command {
        Command::Place(_) => Some((ORDER_REQUESTED, Publisher::Client)),
        Command::RequestCancel(_) | Command::TimeOut(_) => None,
        Command::Settle(_, Settlement::Rejected { .. }) => of::<BalanceRejected>(),
        Command::Settle(_, Settlement::Released { .. }) => of::<BalanceReleased>(),
        Command::Settle(_, Settlement::Refunded { .. }) => of::<BalanceRefunded>(),
        Command::Fulfil(_, Kind::Physical, Turn::Done) => of::<ShipmentArranged>(),
        Command::Fulfil(_, Kind::Physical, Turn::Refused(_)) => of::<ShipmentRejected>(),
        Command::Fulfil(_, Kind::Physical, Turn::Undone(_)) => of::<ShipmentCancelled>(),
        Command::Fulfil(_, Kind::Digital, Turn::Done) => of::<EntitlementGranted>(),
        Command::Fulfil(_, Kind::Digital, Turn::Refused(_)) => of::<EntitlementRejected>(),
        Command::Fulfil(_, Kind::Digital, Turn::Undone(_)) => of::<EntitlementRevoked>(),
    }
}
