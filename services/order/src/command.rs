//! The service's commands.

use events::{Kind, Order, OrderId, Reason, UserId, erasure::Erasure, order_id::Derivation, request::OrderRequested};

/// A command about one order, or about one user, from an event, a person or a deadline.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Command {
    /// Price and store it, or reject it.
    Place(Placement),
    /// The buyer cancels.
    RequestCancel(OrderId),
    /// The deadline may have passed.
    TimeOut(OrderId),
    /// The buyer's money has been settled. Carries the facts, because the order may be unknown.
    Settle(Order, Settlement),
    /// Shipping or entitlement has progressed.
    Fulfil(OrderId, Kind, Turn),
    /// An operator has a user's personal data erased.
    Erase(UserId),
}

/// A request with the id of its order.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Placement {
    pub order_id: OrderId,
    pub request: OrderRequested,
    pub door: Door,
    /// Present for a request that names no order.
    pub former: Option<Former>,
}

/// Identity that earlier versions gave to a record without an id: derived from its position only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Former {
    pub order_id: OrderId,
    /// The record's timestamp, milliseconds since 1970. An older order belongs to a record that had this position in a topic
    /// deleted since.
    pub requested_ms: u64,
}

impl Placement {
    /// Orders that may have been placed for the same request while ids were derived in another way.
    pub(crate) fn former_orders(&self, derivation: &Derivation) -> Vec<OrderId> {
        let formers = self.request.former_orders(derivation);
        if formers.is_empty() { self.former.iter().map(|former| former.order_id).collect() } else { formers }
    }
}

/// Entry point of a request, and so whether its sender can be told of mistakes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Door {
    /// No caller waits: an invalid request becomes a rejected order.
    Topic,
    /// A caller waits: an invalid request is refused, and nothing is stored.
    Api,
}

/// State in which the account service has left the buyer's money after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Settlement {
    /// Nothing was ever held.
    Rejected { reason: Reason },
    /// What was held has been released.
    Released { reason: Reason },
    /// What was debited has been refunded, in minor units of the order's currency.
    Refunded { reason: Reason, amount: i64 },
}

impl Settlement {
    pub fn reason(self) -> Reason {
        match self {
            Settlement::Rejected { reason } | Settlement::Released { reason } | Settlement::Refunded { reason, .. } => {
                reason
            }
        }
    }

    /// Amount returned to the buyer, in minor units.
    pub fn refunded(self) -> i64 {
        match self {
            Settlement::Rejected { .. } | Settlement::Released { .. } => 0,
            Settlement::Refunded { amount, .. } => amount,
        }
    }
}

/// Outcome of shipping or entitlement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Turn {
    /// The parcel is booked, or the items are unlocked.
    Done,
    /// It will not be done.
    Refused(Reason),
    /// It has been taken back, or never will be done.
    Undone(Reason),
}

impl Command {
    /// Orders that a request stands for if it was placed while ids were derived in another way.
    pub(crate) fn former_orders(&self, derivation: &Derivation) -> Vec<OrderId> {
        self.placement().map(|placement| placement.former_orders(derivation)).unwrap_or_default()
    }

    pub(crate) fn placement(&self) -> Option<&Placement> {
        match self {
            Command::Place(placement) => Some(placement),
            Command::RequestCancel(_)
            | Command::TimeOut(_)
            | Command::Settle(..)
            | Command::Fulfil(..)
            | Command::Erase(_) => None,
        }
    }

    /// The user that is to be erased.
    pub(crate) fn erased(&self) -> Option<UserId> {
        if let Command::Erase(user) = self { Some(*user) } else { None }
    }

    /// The order; of a user, the id that stands in its place.
    pub fn order_id(&self) -> OrderId {
        match self {
            Command::Place(placement) => placement.order_id,
            Command::Settle(order, _) => order.order_id,
            Command::Erase(user) => Erasure::of(*user).erasure_id,
            Command::RequestCancel(order_id) | Command::TimeOut(order_id) | Command::Fulfil(order_id, ..) => *order_id,
        }
    }
}
