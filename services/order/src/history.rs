//! The timeline of an order, as the buyer sees it: events consumed and published.

use chrono::{DateTime, Utc};
use events::{
    Event, Kind, OrderId, Publisher,
    account::{BalanceRefunded, BalanceRejected, BalanceReleased},
    entitlement::{EntitlementGranted, EntitlementRejected, EntitlementRevoked},
    publisher,
    request::ORDER_REQUESTED,
    shipping::{ShipmentArranged, ShipmentCancelled, ShipmentRejected},
};
use saga::Says;

use crate::command::{Command, Settlement, Turn};

/// One event in an order's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Entry {
    pub order_id: OrderId,
    pub at: DateTime<Utc>,
    pub event: &'static str,
    pub publisher: Publisher,
}

/// Entries that a decision adds: the event consumed, then the events published; none if it changed nothing.
pub(crate) fn entries(command: &Command, says: &Says, now: DateTime<Utc>) -> Vec<Entry> {
    // An erasure is no event in any order's life.
    if says.ignored.is_some() || says.refused.is_some() || command.erased().is_some() {
        return Vec::new();
    }
    let said = says.events.iter().map(|said| (said.event_type, publisher::ORDER));
    let entry = |(event, publisher)| Entry { order_id: command.order_id(), at: now, event, publisher };
    heard(command).into_iter().chain(said).map(entry).collect()
}

/// The event behind a command; None for a person's request or a deadline.
fn heard(command: &Command) -> Option<(&'static str, Publisher)> {
    fn of<E: Event>() -> Option<(&'static str, Publisher)> {
        Some((E::TYPE, E::PUBLISHER))
    }
    match command {
        Command::Place(_) => Some((ORDER_REQUESTED, publisher::CLIENT)),
        Command::RequestCancel(_) | Command::TimeOut(_) | Command::Erase(_) => None,
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

#[cfg(test)]
mod tests {
    use events::{Currency, Order, PaymentMethodId, Reason, UserId};
    use uuid::Uuid;

    use super::*;

    #[test]
    fn every_event_that_is_heard_is_in_the_timeline_under_its_name_and_its_service() {
        let order = Order {
            order_id: OrderId(Uuid::nil()),
            user_id: UserId(1),
            payment_method_id: PaymentMethodId(1),
            currency: Currency::JPY,
            total: 0,
            items: Vec::new(),
            ship_to: None,
        };
        let settled = |settlement| Command::Settle(order.clone(), settlement);
        let fulfilled = |kind, turn| Command::Fulfil(order.order_id, kind, turn);
        let reason = Reason::OutOfStock;
        for (command, event, publisher) in [
            (settled(Settlement::Rejected { reason }), "BalanceRejected", publisher::ACCOUNT),
            (settled(Settlement::Released { reason }), "BalanceReleased", publisher::ACCOUNT),
            (settled(Settlement::Refunded { reason, amount: 1 }), "BalanceRefunded", publisher::ACCOUNT),
            (fulfilled(Kind::Physical, Turn::Done), "ShipmentArranged", publisher::SHIPPING),
            (fulfilled(Kind::Physical, Turn::Refused(reason)), "ShipmentRejected", publisher::SHIPPING),
            (fulfilled(Kind::Physical, Turn::Undone(reason)), "ShipmentCancelled", publisher::SHIPPING),
            (fulfilled(Kind::Digital, Turn::Done), "EntitlementGranted", publisher::ENTITLEMENT),
            (fulfilled(Kind::Digital, Turn::Refused(reason)), "EntitlementRejected", publisher::ENTITLEMENT),
            (fulfilled(Kind::Digital, Turn::Undone(reason)), "EntitlementRevoked", publisher::ENTITLEMENT),
        ] {
            assert_eq!(heard(&command), Some((event, publisher)), "{command:?}");
        }
        assert_eq!(heard(&Command::TimeOut(order.order_id)), None);
    }
}
