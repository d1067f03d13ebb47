//! Reasons: every event and every row of an undone order gives the reason of the first cause.

use events::Reason;
use payment::phase::Phase;

use crate::bus::{Event, Occasion, Saga, World};

/// Events, and those whose reason they pass on. One of each list is published.
const PASSES_ON: &[(&str, &[&str])] = &[
    ("PaymentVoided", &["StockReleased", "StockRejected"]),
    ("PaymentRefunded", &["StockReleased", "StockRejected"]),
    ("BalanceReleased", &["PaymentVoided", "PaymentRefunded", "PaymentDeclined"]),
    ("BalanceRefunded", &["PaymentVoided", "PaymentRefunded"]),
    ("OrderCancelled", &["BalanceReleased", "BalanceRefunded", "BalanceRejected"]),
    ("EntitlementRevoked", &["ShipmentRejected"]),
    ("ShipmentCancelled", &["EntitlementRejected"]),
];

/// The reasons for which a service may refuse.
const REFUSES: &[(&str, &[Reason])] = &[
    ("OrderRejected", &[Reason::InvalidRequest, Reason::UnknownProduct]),
    ("BalanceRejected", &[Reason::UnknownUser, Reason::InsufficientBalance]),
    ("PaymentDeclined", &[Reason::InvalidPaymentMethod, Reason::CardDeclined, Reason::GatewayUnavailable]),
    ("StockRejected", &[Reason::OutOfStock, Reason::UnknownProduct]),
    ("PaymentCaptureFailed", &[Reason::CardDeclined]),
    ("ShipmentRejected", &[Reason::UnshippableAddress]),
    ("EntitlementRejected", &[Reason::Discontinued, Reason::UnknownProduct]),
];

/// Every event gives the reason of the event that it follows from.
pub(super) fn passed_on(saga: &Saga) -> Result<(), String> {
    saga.events().try_for_each(|event| {
        let (Some(reason), event_type) = (event.content.reason, event.said.event_type) else { return Ok(()) };
        let own = REFUSES.iter().find(|(refusal, _)| *refusal == event_type);
        let first = match (event.occasion, own) {
            // An operator's event in place of a service's is judged by what follows from it, if it counts anywhere.
            (Occasion::Operator, _) => return Ok(()),
            (Occasion::Event(cause), _) if event_type == "StockReleased" => Some(cause_of(saga, cause)?),
            (_, Some((_, reasons))) if reasons.contains(&reason) => return Ok(()),
            (_, Some(_)) => return Err(format!("{event_type} gives {reason}, which is no reason of its own")),
            (_, None) => predecessor(saga, event_type),
        };
        match first {
            Some(first) if first != reason => Err(format!("{event_type} gives {reason}; its cause gives {first}")),
            Some(_) => Ok(()),
            None => Err(format!("{event_type} gives {reason}, and nobody has said so before")),
        }
    })
}

/// The reason that made inventory undo its step. A service has to publish it: no order ends on an operator's word.
fn cause_of(saga: &Saga, cause: &'static str) -> Result<Reason, String> {
    let event = event_of(saga, cause).ok_or_else(|| format!("{cause} is an operator's word alone"))?;
    match cause {
        "OrderCancelRequested" => Ok(Reason::CancelledByUser),
        "OrderTimedOut" => Ok(Reason::TimedOut),
        _ => event.content.reason.ok_or_else(|| format!("{cause} gives no reason")),
    }
}

fn predecessor(saga: &Saga, event_type: &str) -> Option<Reason> {
    let (_, first) = PASSES_ON.iter().find(|(event, _)| *event == event_type)?;
    // An operator may have published it in place of its service.
    let repeated = || saga.events().find(|event| first.contains(&event.said.event_type));
    first.iter().find_map(|event| said(saga, event)).or_else(|| repeated()?.content.reason)
}

fn event_of<'a>(saga: &'a Saga, event_type: &str) -> Option<&'a Event> {
    saga.events().find(|event| event.said.event_type == event_type && event.occasion != Occasion::Operator)
}

/// The reason that the service itself has given.
fn said(saga: &Saga, event_type: &str) -> Option<Reason> {
    event_of(saga, event_type)?.content.reason
}

/// Every row has the reason that its service has published.
pub(super) fn kept(saga: &Saga, world: &World) -> Result<(), String> {
    let (id, databases) = (&saga.order_id, &world.databases);
    let order = databases.order.purchases.get(id).filter(|order| !matches!(order.status, order::Status::Cancelling));
    let payment = databases.payment.transactions.get(id).and_then(|row| match row.phase {
        Phase::Declined(reason) | Phase::Voided(reason) | Phase::Refunded(reason) => Some(reason),
        Phase::Cancelled(reason) | Phase::CaptureFailed(reason) => Some(reason),
        Phase::Authorizing | Phase::Authorized | Phase::Capturing { .. } | Phase::Captured => None,
        // Being compensated: the event at the end has its reason.
        Phase::Voiding(_) | Phase::Refunding(_) => None,
    });
    let rows: [(&str, Option<Reason>, &[&str]); 6] = [
        ("order", order.and_then(|row| row.reason), &["OrderCancelled", "OrderRejected"]),
        (
            "balance",
            databases.account.reservations.get(id).and_then(|row| row.reason),
            &["BalanceReleased", "BalanceRefunded", "BalanceRejected"],
        ),
        ("payment", payment, &["PaymentVoided", "PaymentRefunded", "PaymentDeclined", "PaymentCaptureFailed"]),
        (
            "stock",
            databases.inventory.reservations.get(id).and_then(|row| row.reason),
            &["StockReleased", "StockRejected"],
        ),
        (
            "shipment",
            databases.shipping.shipments.get(id).and_then(|row| row.reason),
            &["ShipmentRejected", "ShipmentCancelled"],
        ),
        (
            "entitlement",
            databases.entitlement.unlocks.get(id).and_then(|row| row.reason),
            &["EntitlementRejected", "EntitlementRevoked"],
        ),
    ];
    rows.into_iter().try_for_each(|(step, kept, events)| {
        // The first one: after a refused capture, the void that follows passes on its reason.
        let given = events.iter().find_map(|event| said(saga, event));
        if kept == given || kept.is_none() && step == "payment" {
            return Ok(());
        }
        let word = |reason: Option<Reason>| reason.map_or("none".to_owned(), |reason| reason.to_string());
        Err(format!("the {step} keeps the reason {}, and {} was given", word(kept), word(given)))
    })
}
