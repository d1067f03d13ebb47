//! What the service is asked to do.

use events::{Kind, Order, OrderId, Reason, request::OrderRequested};

/// What an event, a person or a deadline asks of the service about one order.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Command {
    /// Price it and store it, or reject it.
    Place(Placement),
    /// The buyer wants out.
    RequestCancel(OrderId),
    /// Its deadline may have passed.
    TimeOut(OrderId),
    /// The buyer's money has come to rest. With the facts, for an order that was never heard of.
    Settle(Order, Settlement),
    /// One kind of its items has come further.
    Fulfil(OrderId, Kind, Turn),
}

/// A request under the id that it means.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Placement {
    pub order_id: OrderId,
    pub request: OrderRequested,
    pub door: Door,
    /// Of a request that names no order.
    pub former: Option<Former>,
}

/// What earlier versions took a record without a name for: its place alone said which order it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Former {
    pub order_id: OrderId,
    /// The record's timestamp, milliseconds since 1970. An order that was there before it is that of a record which had this
    /// place in a topic that has been deleted since.
    pub requested_ms: u64,
}

impl Placement {
    /// The order that an earlier version may have placed for the same request.
    pub(crate) fn former_order(&self) -> Option<OrderId> {
        self.request.former_order().or_else(|| self.former.map(|former| former.order_id))
    }
}

/// Where a request came in, and so who can hear of its mistakes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Door {
    /// Nobody is waiting: an invalid request becomes a rejected order.
    Topic,
    /// Somebody is: an invalid request is refused, and nothing is stored.
    Api,
}

/// How the account service has left the buyer's money after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Settlement {
    /// Nothing was ever held.
    Rejected { reason: Reason },
    /// What was held is free again.
    Released { reason: Reason },
    /// What was taken is back, in minor units of the order's currency.
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

    /// What went back to the buyer, in minor units.
    pub fn refunded(self) -> i64 {
        match self {
            Settlement::Rejected { .. } | Settlement::Released { .. } => 0,
            Settlement::Refunded { amount, .. } => amount,
        }
    }
}

/// What shipping or entitlement has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Turn {
    /// The parcel is booked, the items are unlocked.
    Done,
    /// It will not be done.
    Refused(Reason),
    /// It is taken back, or never will be done.
    Undone(Reason),
}

impl Command {
    /// The order that a request means if an earlier version has placed it.
    pub(crate) fn former_order(&self) -> Option<OrderId> {
        self.placement().and_then(Placement::former_order)
    }

    pub(crate) fn placement(&self) -> Option<&Placement> {
        match self {
            Command::Place(placement) => Some(placement),
            Command::RequestCancel(_) | Command::TimeOut(_) | Command::Settle(..) | Command::Fulfil(..) => None,
        }
    }

    pub fn order_id(&self) -> OrderId {
        match self {
            Command::Place(placement) => placement.order_id,
            Command::Settle(order, _) => order.order_id,
            Command::RequestCancel(order_id) | Command::TimeOut(order_id) | Command::Fulfil(order_id, ..) => *order_id,
        }
    }
}
