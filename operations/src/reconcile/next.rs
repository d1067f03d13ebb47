//! The next event that moves an order on: the one that a service has missed.
//!
//! It is the first event missing along the saga's path, forward or back. A surplus event does no harm: a service that has already
//! acted on it ignores it by the barrier, and the next round finds the next event. It carries what its service would have
//! published, with the reason and the amount that this service has recorded; if no reason is recorded, it carries [`RECONCILED`].

use events::{
    Event, Kind, Order, OrderId, Reason,
    account::{BalanceDebited, BalanceRefunded, BalanceRejected, BalanceReleased},
    entitlement::{EntitlementGranted, EntitlementRejected, EntitlementRevoked},
    inventory::{StockCommitted, StockReleased, StockReserved},
    order::{OrderCancelRequested, OrderCancelled, OrderCompleted, OrderRejected, OrderTimedOut},
    payment::{PaymentCaptureFailed, PaymentCaptured, PaymentDeclined, PaymentRefunded, PaymentVoided},
    shipping::{ShipmentArranged, ShipmentCancelled, ShipmentRejected},
};
use saga::barrier::Status::{self, Cancelled, Confirmed, Refunded, Rejected, Reserved};
use serde_json::Value;

use super::{
    Remedy,
    standing::{Placed, Standing, StepState},
};

#[cfg(test)]
mod tests;

/// Reason for undoing a step for which no reason is recorded.
pub const RECONCILED: &str = "reconciled";

/// An event to be published anew.
#[derive(Debug, Clone, PartialEq)]
pub struct Fresh {
    pub event_type: &'static str,
    /// Version of the event's schema.
    pub version: u32,
    pub topic: &'static str,
    pub order_id: OrderId,
    pub data: Value,
}

impl Fresh {
    fn of<E: Event>(event: &E) -> Self {
        Fresh {
            event_type: E::TYPE,
            version: E::VERSION,
            topic: E::PUBLISHER.topic(),
            order_id: event.saga_id(),
            data: serde_json::to_value(event).expect("an event has string keys and finite numbers: it is always JSON"),
        }
    }
}

fn is(step: Option<StepState>, status: Status) -> bool {
    step.is_some_and(|step| step.status == status)
}

impl Standing {
    fn status(&self) -> Option<&str> {
        self.order.as_ref().map(|order| order.status.as_str())
    }

    fn has_failed(&self) -> bool {
        matches!(self.status(), Some("CANCELLED" | "REJECTED"))
    }

    /// Tells whether anything has been handed over to the buyer.
    fn is_fulfilled(&self) -> bool {
        is(self.shipment, Confirmed) || is(self.entitlement, Confirmed)
    }

    fn misses_fulfilment(&self, order: &Order) -> bool {
        order.has(Kind::Physical) && self.shipment.is_none() || order.has(Kind::Digital) && self.entitlement.is_none()
    }

    /// The reason why the order fails: as its own service has it, or else the first of the others, in the order in which refusals
    /// arise.
    fn cause(&self) -> Reason {
        let steps = [self.balance, self.payment, self.stock, self.shipment, self.entitlement];
        let known = self.order.as_ref().and_then(|order| order.reason);
        let known = known.or_else(|| steps.into_iter().flatten().find_map(|step| step.reason));
        known.unwrap_or_else(|| RECONCILED.parse().expect("a word"))
    }

    /// The reason why this step was refused or undone, as its own service would give it.
    fn reason_of(&self, step: Option<StepState>) -> Reason {
        step.and_then(|step| step.reason).unwrap_or_else(|| self.cause())
    }
}

/// The remedy for an order that is stuck, or whose steps do not agree with its end.
pub fn next(standing: &Standing, order: &Order) -> Remedy {
    match standing.status() {
        Some("COMPLETED") => forward(standing, order),
        Some("PENDING") => {
            person("its deadline has passed, and the order service does not time it out: is it running?")
        }
        Some("CANCELLING") if is(standing.stock, Confirmed) => fulfil(standing, order),
        _ => back(standing, order),
    }
}

fn say<E: Event>(event: &E) -> Remedy {
    Remedy::Say(vec![Fresh::of(event)])
}

fn person(why: &str) -> Remedy {
    Remedy::Person(why.to_owned())
}

/// The order is complete, so what is held for it is captured.
fn forward(standing: &Standing, order: &Order) -> Remedy {
    let order_ = || order.clone();
    if is(standing.balance, Reserved) {
        say(&StockReserved { order: order_() })
    } else if is(standing.payment, Reserved) {
        say(&BalanceDebited { order: order_() })
    } else if is(standing.stock, Reserved) {
        say(&PaymentCaptured { order: order_() })
    } else if standing.misses_fulfilment(order) {
        say(&StockCommitted { order: order_() })
    } else if !standing.letter && standing.steps().iter().flat_map(|(_, step)| step).all(|s| s.status == Confirmed) {
        say(&OrderCompleted { order: order_() })
    } else {
        person("it is complete, but something of it was undone or never begun")
    }
}

/// The cancellation came too late: the order is fulfilled, unless a refusal reverses it.
fn fulfil(standing: &Standing, order: &Order) -> Remedy {
    let refusals = refusals(standing, order);
    if !refusals.is_empty() {
        return Remedy::Say(refusals);
    }
    if standing.misses_fulfilment(order) {
        return say(&StockCommitted { order: order.clone() });
    }
    let mut done = Vec::new();
    if is(standing.shipment, Confirmed) {
        let booked = standing.tracking_no.clone();
        let tracking_no = booked.unwrap_or_else(|| shipping::tracking_no(order.order_id));
        done.push(Fresh::of(&ShipmentArranged { order: order.clone(), tracking_no }));
    }
    if is(standing.entitlement, Confirmed) {
        done.push(Fresh::of(&EntitlementGranted { order: order.clone() }));
    }
    if done.is_empty() { person("its fulfilment was undone although nobody refused it") } else { Remedy::Say(done) }
}

fn refusals(standing: &Standing, order: &Order) -> Vec<Fresh> {
    let mut refusals = Vec::new();
    if is(standing.shipment, Rejected) {
        let reason = standing.reason_of(standing.shipment);
        refusals.push(Fresh::of(&ShipmentRejected { order: order.clone(), reason }));
    }
    if is(standing.entitlement, Rejected) {
        let reason = standing.reason_of(standing.entitlement);
        refusals.push(Fresh::of(&EntitlementRejected { order: order.clone(), reason }));
    }
    refusals
}

/// The order is cancelled, about to be, or missing: everything is undone in reverse order. A step that was never taken is told
/// too, unless the order has ended or the step before it refused: it answers, and compensation continues.
fn back(standing: &Standing, order: &Order) -> Remedy {
    let ended = standing.has_failed();
    let refused_before = is(standing.balance, Rejected);
    let undone = |step: Option<StepState>, never_reached: bool| match step.map(|step| step.status) {
        None => ended || never_reached,
        Some(Reserved | Confirmed) => false,
        Some(Cancelled | Refunded | Rejected) => true,
    };
    if standing.is_fulfilled() {
        take_back(standing, order)
    } else if is(standing.stock, Confirmed) {
        say(&PaymentCaptureFailed { order: order.clone(), reason: standing.cause() })
    } else if !undone(standing.stock, refused_before || is(standing.payment, Rejected)) {
        Remedy::Say(vec![withdrawal(standing, order)])
    } else if !undone(standing.payment, refused_before) {
        say(&StockReleased { order: order.clone(), reason: standing.reason_of(standing.stock) })
    } else if !undone(standing.balance, false) {
        Remedy::Say(vec![payment_back(standing, order)])
    } else if let Some(placed) = standing.order.as_ref().filter(|_| ended) {
        if standing.letter {
            person("everything is undone, and still it does not agree")
        } else {
            Remedy::Say(vec![ending(standing, placed, order)])
        }
    } else {
        let mut said = refusals(standing, order);
        said.extend(taken_back(standing, order));
        said.push(money(standing, order));
        Remedy::Say(said)
    }
}

/// What the other half of a mixed order has undone or will never do: the order service waits for that event too.
fn taken_back(standing: &Standing, order: &Order) -> Vec<Fresh> {
    let mut taken_back = Vec::new();
    if order.is_mixed() && is(standing.shipment, Cancelled) {
        let reason = standing.reason_of(standing.shipment);
        taken_back.push(Fresh::of(&ShipmentCancelled { order: order.clone(), reason }));
    }
    if order.is_mixed() && is(standing.entitlement, Cancelled) {
        let reason = standing.reason_of(standing.entitlement);
        taken_back.push(Fresh::of(&EntitlementRevoked { order: order.clone(), reason }));
    }
    taken_back
}

/// The event that makes inventory release its reservation: the original cause.
fn withdrawal(standing: &Standing, order: &Order) -> Fresh {
    let order = order.clone();
    match standing.cause() {
        Reason::CancelledByUser => Fresh::of(&OrderCancelRequested { order }),
        Reason::TimedOut => Fresh::of(&OrderTimedOut { order }),
        // Any other reason is carried by the event that makes inventory release what it holds.
        reason => Fresh::of(&PaymentCaptureFailed { order, reason }),
    }
}

/// Only a mixed order's fulfilment is ever taken back, by the event with which the other half refuses.
fn take_back(standing: &Standing, order: &Order) -> Remedy {
    let refusals = refusals(standing, order);
    if order.is_mixed() && !refusals.is_empty() {
        return Remedy::Say(refusals);
    }
    person("goods are handed out for an order that is not to be: take them back, or let the buyer keep them")
}

/// The event by which the payment was undone.
fn payment_back(standing: &Standing, order: &Order) -> Fresh {
    let (order, reason) = (order.clone(), standing.reason_of(standing.payment));
    match standing.payment.map(|step| step.status) {
        Some(Rejected) => Fresh::of(&PaymentDeclined { order, reason }),
        Some(Refunded) => Fresh::of(&PaymentRefunded { order, reason }),
        None | Some(Reserved | Confirmed | Cancelled) => Fresh::of(&PaymentVoided { order, reason }),
    }
}

/// The final state of the buyer's money.
fn money(standing: &Standing, order: &Order) -> Fresh {
    let (order, reason) = (order.clone(), standing.reason_of(standing.balance));
    match standing.balance.map(|step| step.status) {
        Some(Rejected) => Fresh::of(&BalanceRejected { order, reason }),
        Some(Refunded) => Fresh::of(&BalanceRefunded { amount: standing.amount, order, reason }),
        None | Some(Reserved | Confirmed | Cancelled) => Fresh::of(&BalanceReleased { order, reason }),
    }
}

/// The event that ended the order, for the missing mail.
fn ending(standing: &Standing, placed: &Placed, order: &Order) -> Fresh {
    let (order, reason) = (order.clone(), standing.cause());
    match placed.status.as_str() {
        "REJECTED" => Fresh::of(&OrderRejected { order, reason }),
        _ => Fresh::of(&OrderCancelled { order, reason, refunded: placed.refunded }),
    }
}
