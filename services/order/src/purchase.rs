//! One order as this service knows it, and the effect of each command in every status.

use chrono::{DateTime, Utc};
use events::{
    Kind, Order, Reason,
    order::{OrderCancelRequested, OrderCancelled, OrderCompleted, OrderTimedOut},
};
use saga::Says;

use crate::{
    command::{Settlement, Turn},
    fingerprint::{Fingerprint, Fingerprints},
    fulfilment::Fulfilment,
    status::Status,
};

/// The buyer's money, as far as it matters to the order's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Money {
    /// Not debited yet, in flight, or spent.
    Open,
    /// Settled after a failure: `refunded` minor units went back.
    Settled { reason: Reason, refunded: i64 },
}

/// One order, from its request to its end.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Purchase {
    /// The facts, which every event carries. Never change.
    pub facts: Order,
    pub status: Status,
    pub reason: Option<Reason>,
    /// End of the time for the saga's forward part; None if it never began.
    pub deadline: Option<DateTime<Utc>>,
    /// Fingerprint of the request; None if no request has arrived.
    pub request: Option<Fingerprint>,
    pub money: Money,
    pub fulfilment: Fulfilment,
}

impl Purchase {
    /// The saga begins.
    pub fn placed(facts: Order, request: Fingerprint, deadline: DateTime<Utc>) -> Self {
        let fulfilment = Fulfilment::of(&facts);
        let (deadline, request) = (Some(deadline), Some(request));
        Purchase { facts, status: Status::Pending, reason: None, deadline, request, money: Money::Open, fulfilment }
    }

    /// The saga never begins.
    pub fn rejected(facts: Order, request: Option<Fingerprint>, reason: Reason) -> Self {
        Purchase {
            facts,
            status: Status::Rejected,
            reason: Some(reason),
            deadline: None,
            request,
            money: Money::Open,
            fulfilment: Fulfilment::NONE,
        }
    }

    /// Compensated before it was requested: remembered, so that the request finds it ended.
    pub fn forbidden(facts: Order, settlement: Settlement) -> Self {
        let fulfilment = Fulfilment::of(&facts);
        let (reason, refunded) = (settlement.reason(), settlement.refunded());
        Purchase {
            facts,
            status: Status::Cancelled,
            reason: Some(reason),
            deadline: None,
            request: None,
            money: Money::Settled { reason, refunded },
            fulfilment,
        }
    }

    /// Tells whether this request created it.
    pub(crate) fn is_of(&self, request: Fingerprints) -> bool {
        self.request.is_some_and(|known| request.has(known))
    }

    /// A repeated request for an existing order.
    pub(crate) fn request_again(&self, request: Fingerprints) -> Says {
        match self.request {
            None => Says::ignored("hanging: it was cancelled before it was requested"),
            Some(known) if request.has(known) => Says::ignored("requested already"),
            Some(_) => Says::refused(format!("order {} was requested with other content before", self.facts.order_id)),
        }
    }

    pub(crate) fn request_cancel(&mut self) -> Says {
        match self.status {
            Status::Pending => {
                self.status = Status::Cancelling;
                self.reason = Some(Reason::CancelledByUser);
                Says::event(OrderCancelRequested { order: self.facts.clone() })
            }
            Status::Cancelling => Says::ignored("being cancelled already"),
            Status::Completed => Says::ignored("too late: completed"),
            Status::Cancelled => Says::ignored("cancelled already"),
            Status::Rejected => Says::ignored("rejected: there is nothing to cancel"),
        }
    }

    pub(crate) fn time_out(&mut self, now: DateTime<Utc>) -> Says {
        match self.status {
            Status::Pending if self.deadline.is_none_or(|deadline| now < deadline) => {
                Says::ignored("its deadline has not passed")
            }
            Status::Pending => {
                self.status = Status::Cancelling;
                self.reason = Some(Reason::TimedOut);
                Says::event(OrderTimedOut { order: self.facts.clone() })
            }
            Status::Cancelling => Says::ignored("being cancelled already"),
            Status::Completed => Says::ignored("completed in time"),
            Status::Cancelled => Says::ignored("cancelled before its deadline"),
            Status::Rejected => Says::ignored("rejected: it has no deadline"),
        }
    }

    pub(crate) fn settle(&mut self, settlement: Settlement) -> Says {
        match (self.status, self.money) {
            (Status::Pending | Status::Cancelling, Money::Open) => {
                let (reason, refunded) = (settlement.reason(), settlement.refunded());
                self.money = Money::Settled { reason, refunded };
                self.reason = Some(reason);
                let other_side_follows = self.fulfilment.has_failed() || ends_fulfilment(settlement);
                if self.fulfilment.is_mixed() && other_side_follows && !self.fulfilment.is_undone() {
                    self.status = Status::Cancelling;
                    return Says::silence();
                }
                self.cancel(reason, refunded)
            }
            (Status::Pending | Status::Cancelling, Money::Settled { .. }) => {
                Says::ignored("settled already: it waits for its fulfilment to be undone")
            }
            (Status::Completed, _) => Says::ignored("completed: no money can come back any more"),
            (Status::Cancelled, _) => Says::ignored("cancelled already"),
            (Status::Rejected, _) => Says::ignored("rejected: no money was ever asked for"),
        }
    }

    pub(crate) fn fulfil(&mut self, kind: Kind, turn: Turn) -> Says {
        match self.status {
            Status::Pending | Status::Cancelling => {}
            Status::Completed => return Says::ignored("completed already"),
            Status::Cancelled => return Says::ignored("cancelled already"),
            Status::Rejected => return Says::ignored("rejected: there is nothing to fulfil"),
        }
        let Some(branch) = self.fulfilment.branch_mut(kind) else {
            return Says::ignored("the order has no items of this kind");
        };
        match branch.after(turn) {
            Ok(next) => *branch = next,
            Err(why) => return Says::ignored(why),
        }
        match (turn, self.money) {
            // Even if a cancellation is in flight: then inventory has found it too late.
            (Turn::Done, Money::Open) if self.fulfilment.is_done() => {
                self.status = Status::Completed;
                self.reason = None;
                Says::event(OrderCompleted { order: self.facts.clone() })
            }
            (Turn::Done, Money::Open) => Says::silence(),
            // The other branch refused, so this one will be compensated too.
            (Turn::Done, Money::Settled { .. }) => Says::silence(),
            (Turn::Refused(reason) | Turn::Undone(reason), Money::Open) => {
                self.status = Status::Cancelling;
                self.reason = Some(reason);
                Says::silence()
            }
            (Turn::Refused(_) | Turn::Undone(_), Money::Settled { reason, refunded }) => {
                if self.fulfilment.is_undone() { self.cancel(reason, refunded) } else { Says::silence() }
            }
        }
    }

    fn cancel(&mut self, reason: Reason, refunded: i64) -> Says {
        self.status = Status::Cancelled;
        Says::event(OrderCancelled { order: self.facts.clone(), reason, refunded })
    }
}

/// Tells whether the money came back because shipping or entitlement refused; the refusal itself may still be in flight.
/// Fulfilment begins after the debit, so only a refund can mean this. Inventory refuses for `unknown_product` before that, with a
/// release.
fn ends_fulfilment(settlement: Settlement) -> bool {
    let Settlement::Refunded { reason, .. } = settlement else { return false };
    match reason {
        Reason::UnshippableAddress | Reason::Discontinued | Reason::UnknownProduct => true,
        Reason::InsufficientBalance
        | Reason::UnknownUser
        | Reason::InvalidPaymentMethod
        | Reason::CardDeclined
        | Reason::GatewayUnavailable
        | Reason::OutOfStock
        | Reason::InvalidRequest
        | Reason::CancelledByUser
        | Reason::TimedOut
        // Not counted as their refusal: waiting for one that never comes would be worse.
        | Reason::Other(_) => false,
    }
}
