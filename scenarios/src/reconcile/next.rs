//! What has to be said so that an order moves on: the event that somebody has missed.
//!
//! It is the first that is missing along the saga's way, forward or back. It may come too often: whoever has acted on it
//! already ignores it by the barrier, and the next round finds the next one.

use events::{
    Event, Kind, Order, OrderId, Reason,
    account::{BalanceDebited, BalanceRefunded, BalanceRejected, BalanceReleased},
    entitlement::{EntitlementGranted, EntitlementRejected},
    inventory::{StockCommitted, StockReleased, StockReserved},
    order::OrderTimedOut,
    payment::{PaymentCaptureFailed, PaymentCaptured, PaymentVoided},
    shipping::{ShipmentArranged, ShipmentRejected},
};
use kit::barrier::Status::{self, Cancelled, Confirmed, Refunded, Rejected, Reserved};
use serde_json::Value;

use super::Remedy;

#[cfg(test)]
mod tests;

/// An event to be said anew.
#[derive(Debug, Clone, PartialEq)]
pub struct Fresh {
    pub event_type: &'static str,
    pub topic: &'static str,
    pub order_id: OrderId,
    pub data: Value,
}

impl Fresh {
    fn of<E: Event>(event: &E) -> Self {
        Fresh {
            event_type: E::TYPE,
            topic: E::PUBLISHER.topic(),
            order_id: event.order().order_id,
            data: serde_json::to_value(event).expect("an event has string keys and finite numbers: it is always JSON"),
        }
    }
}

/// How an order stands with everybody. None is: never heard of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// The order's own status, as its service has it.
    pub order: Option<String>,
    pub reason: Option<Reason>,
    pub balance: Option<Status>,
    pub payment: Option<Status>,
    pub stock: Option<Status>,
    pub shipment: Option<Status>,
    pub entitlement: Option<Status>,
}

impl Standing {
    fn has_ended(&self) -> bool {
        matches!(self.order.as_deref(), Some("CANCELLED" | "REJECTED"))
    }

    /// Whether something is handed out.
    fn is_fulfilled(&self) -> bool {
        [self.shipment, self.entitlement].contains(&Some(Confirmed))
    }

    fn misses_fulfilment(&self, order: &Order) -> bool {
        order.has(Kind::Physical) && self.shipment.is_none() || order.has(Kind::Digital) && self.entitlement.is_none()
    }

    fn reason(&self) -> Reason {
        self.reason.unwrap_or(Reason::TimedOut)
    }
}

/// What to do about an order that is stuck, or whose steps do not agree with its end.
pub fn next(standing: &Standing, order: &Order) -> Remedy {
    match standing.order.as_deref() {
        Some("COMPLETED") => forward(standing, order),
        Some("PENDING") => {
            person("its deadline has passed, and the order service does not time it out: is it running?")
        }
        Some("CANCELLING") if standing.stock == Some(Confirmed) => fulfil(standing, order),
        _ => back(standing, order),
    }
}

fn say<E: Event>(event: &E) -> Remedy {
    Remedy::Say(vec![Fresh::of(event)])
}

fn person(why: &str) -> Remedy {
    Remedy::Person(why.to_owned())
}

/// It is complete, so what was held for it is taken.
fn forward(standing: &Standing, order: &Order) -> Remedy {
    let order_ = || order.clone();
    if standing.balance == Some(Reserved) {
        say(&StockReserved { order: order_() })
    } else if standing.payment == Some(Reserved) {
        say(&BalanceDebited { order: order_() })
    } else if standing.stock == Some(Reserved) {
        say(&PaymentCaptured { order: order_() })
    } else if standing.misses_fulfilment(order) {
        say(&StockCommitted { order: order_() })
    } else {
        person("it is complete, but something of it was undone or never begun")
    }
}

/// The cancel came too late: it is fulfilled, or a refusal turns it round.
fn fulfil(standing: &Standing, order: &Order) -> Remedy {
    let refusals = refusals(standing, order);
    if !refusals.is_empty() {
        return Remedy::Say(refusals);
    }
    if standing.misses_fulfilment(order) {
        return say(&StockCommitted { order: order.clone() });
    }
    let mut done = Vec::new();
    if standing.shipment == Some(Confirmed) {
        let tracking_no = shipping::tracking_no(order.order_id);
        done.push(Fresh::of(&ShipmentArranged { order: order.clone(), tracking_no }));
    }
    if standing.entitlement == Some(Confirmed) {
        done.push(Fresh::of(&EntitlementGranted { order: order.clone() }));
    }
    if done.is_empty() { person("its fulfilment was undone although nobody refused it") } else { Remedy::Say(done) }
}

fn refusals(standing: &Standing, order: &Order) -> Vec<Fresh> {
    let reason = standing.reason();
    let mut refusals = Vec::new();
    if standing.shipment == Some(Rejected) {
        refusals.push(Fresh::of(&ShipmentRejected { order: order.clone(), reason }));
    }
    if standing.entitlement == Some(Rejected) {
        refusals.push(Fresh::of(&EntitlementRejected { order: order.clone(), reason }));
    }
    refusals
}

/// It is cancelled, is to be, or does not exist: everything is undone, in reverse order. A step that nobody has taken yet is
/// told too, unless the order has ended: it answers, and the way back goes on.
fn back(standing: &Standing, order: &Order) -> Remedy {
    let (reason, ended) = (standing.reason(), standing.has_ended());
    let undone = |status: Option<Status>| match status {
        None => ended,
        Some(Reserved | Confirmed) => false,
        Some(Cancelled | Refunded | Rejected) => true,
    };
    if standing.is_fulfilled() {
        return take_back(standing, order);
    }
    if standing.stock == Some(Confirmed) {
        say(&PaymentCaptureFailed { order: order.clone(), reason })
    } else if !undone(standing.stock) {
        say(&OrderTimedOut { order: order.clone() })
    } else if !undone(standing.payment) {
        say(&StockReleased { order: order.clone(), reason })
    } else if !undone(standing.balance) {
        say(&PaymentVoided { order: order.clone(), reason })
    } else if ended {
        person("everything is undone, and still it does not agree")
    } else {
        let mut said = refusals(standing, order);
        said.push(money(standing, order));
        Remedy::Say(said)
    }
}

/// Only a mixed order's fulfilment is ever taken back: by what the other half says when it refuses.
fn take_back(standing: &Standing, order: &Order) -> Remedy {
    let refusals = refusals(standing, order);
    if order.is_mixed() && !refusals.is_empty() {
        return Remedy::Say(refusals);
    }
    person("goods are handed out for an order that is not to be: take them back, or let the buyer keep them")
}

/// How the buyer's money has come to rest.
fn money(standing: &Standing, order: &Order) -> Fresh {
    let (order, reason) = (order.clone(), standing.reason());
    match standing.balance {
        Some(Rejected) => Fresh::of(&BalanceRejected { order, reason }),
        Some(Refunded) => Fresh::of(&BalanceRefunded { amount: order.total, order, reason }),
        None | Some(Reserved | Confirmed | Cancelled) => Fresh::of(&BalanceReleased { order, reason }),
    }
}
