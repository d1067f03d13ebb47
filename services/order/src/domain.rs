//! Decisions about orders, without I/O.

use chrono::{DateTime, Utc};
use events::{
    Currency, Order, OrderId, Reason,
    order::{OrderCancelled, OrderCreated, OrderRejected},
    order_id::Derivation,
};
use personal_data::{PersonKeys, Unsealed};
use saga::{Rows, Says};

use crate::{
    Orders,
    command::{Command, Door, Placement, Settlement},
    erasure::Users,
    fingerprint::Fingerprints,
    history::{self, Entry},
    purchase::Purchase,
    quote::{Catalogue, Refusal, quote},
    status::Status,
};

/// The rows that a batch works on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Register {
    pub catalogue: Catalogue,
    pub purchases: Rows<OrderId, Purchase>,
    /// Keys of the buyers who ask for a parcel.
    pub keys: PersonKeys,
    pub users: Users,
    /// Timeline entries that this batch adds, in order.
    pub history: Vec<Entry>,
}

pub(crate) fn decide(orders: &Orders, register: &mut Register, command: &Command, now: DateTime<Utc>) -> Says {
    let before = register.status(command.order_id());
    let mut says = match command {
        Command::Place(placement) => register.place(placement, now + orders.timeout, &orders.ids),
        Command::Settle(order, settlement) if register.purchases.get(&order.order_id).is_none() => {
            register.forbid(order, *settlement)
        }
        Command::Settle(order, settlement) => register.change(order.order_id, |known| known.settle(*settlement)),
        Command::RequestCancel(order_id) => register.change(*order_id, Purchase::request_cancel),
        Command::TimeOut(order_id) => register.change(*order_id, |known| known.time_out(now)),
        Command::Erase(user) => register.users.erase(*user),
        Command::Fulfil(order_id, kind, turn) => register.change(*order_id, |known| known.fulfil(*kind, *turn)),
    };
    register.history.extend(history::entries(command, &says, now));
    if let Some(after) = register.status(command.order_id()).filter(|after| Some(*after) != before) {
        says = says.becomes(after.as_str());
    }
    says
}

impl Register {
    fn status(&self, order_id: OrderId) -> Option<Status> {
        self.purchases.get(&order_id).map(|known| known.status)
    }

    fn place(&mut self, placement: &Placement, deadline: DateTime<Utc>, ids: &Derivation) -> Says {
        let Placement { order_id, request, door, .. } = placement;
        let is_erased = self.users.is_erased(request.user_id) || self.keys.is_erased(request.user_id.0);
        if is_erased && *door == Door::Api {
            return Says::refused(format!("user {} is erased", request.user_id));
        }
        // Without his key, no request of an erased user can be recognized.
        let Ok(fingerprints) = Fingerprints::of(request, &self.keys) else {
            return self.refuse_erased(placement);
        };
        if let Some(known) = self.purchases.get(order_id) {
            return known.request_again(fingerprints);
        }
        // Placed when another order id was derived from the same key or record.
        let formers = placement.former_orders(ids);
        if formers.iter().filter_map(|former| self.purchases.get(former)).any(|known| known.is_of(fingerprints)) {
            return Says::ignored("requested already, of an earlier version");
        }
        if request.names_anothers_order(ids) {
            return Says::refused(format!(
                "order_id {order_id} has the form of those that are made up for requests without one; choose another"
            ));
        }
        if order_id.0.is_nil() {
            return Says::refused("order_id is the nil UUID, which names nothing; choose another, or leave it out");
        }
        let fingerprint = fingerprints.now;
        let reason = match (quote(*order_id, request, &self.catalogue), door) {
            (_, Door::Topic) if is_erased => Reason::UnknownUser,
            (Ok(order), _) => {
                let Ok(order) = self.sealed(order) else { return self.refuse_erased(placement) };
                self.purchases.put(*order_id, Purchase::placed(order.clone(), fingerprint, deadline));
                return Says::event(OrderCreated { order });
            }
            (Err(Refusal::Invalid(why)), Door::Api) => return Says::refused(why),
            (Err(Refusal::Invalid(_)), Door::Topic) => Reason::InvalidRequest,
            (Err(Refusal::UnknownProduct(_)), _) => Reason::UnknownProduct,
            (Err(Refusal::NoAddress), Door::Api) => {
                return Says::refused("ship_to is missing; the order has physical goods");
            }
            (Err(Refusal::NoAddress), Door::Topic) => Reason::UnshippableAddress,
        };
        let order = unpriced(placement);
        self.purchases.put(*order_id, Purchase::rejected(order.clone(), Some(fingerprint), reason));
        Says::event(OrderRejected { order, reason })
    }

    /// The order with its address as it may be stored and published.
    fn sealed(&self, order: Order) -> Result<Order, Unsealed> {
        let seal =
            |address: &String| self.keys.seal(order.user_id.0, &events::personal::ship_to(order.order_id), address);
        let ship_to = order.ship_to.as_ref().map(seal).transpose()?;
        Ok(Order { ship_to, ..order })
    }

    /// A request of an erased user, on the topic: nothing of it is kept.
    fn refuse_erased(&mut self, placement: &Placement) -> Says {
        if self.purchases.get(&placement.order_id).is_some() {
            return Says::ignored("requested already, by a user who is erased");
        }
        let (order, reason) = (unpriced(placement), Reason::UnknownUser);
        self.purchases.put(placement.order_id, Purchase::rejected(order.clone(), None, reason));
        Says::event(OrderRejected { order, reason })
    }

    /// A compensation arrived before the request: the order ends before it begins.
    fn forbid(&mut self, order: &Order, settlement: Settlement) -> Says {
        self.purchases.put(order.order_id, Purchase::forbidden(order.clone(), settlement));
        let (reason, refunded) = (settlement.reason(), settlement.refunded());
        Says::event(OrderCancelled { order: order.clone(), reason, refunded })
    }

    fn change(&mut self, order_id: OrderId, change: impl FnOnce(&mut Purchase) -> Says) -> Says {
        let Some(known) = self.purchases.get(&order_id) else {
            return Says::ignored("nobody has placed this order here");
        };
        let mut purchase = known.clone();
        let says = change(&mut purchase);
        if says.ignored.is_none() {
            self.purchases.put(order_id, purchase);
        }
        says
    }
}

/// The facts of an order without a price, and without its items, which need not make sense.
fn unpriced(placement: &Placement) -> Order {
    Order {
        order_id: placement.order_id,
        user_id: placement.request.user_id,
        payment_method_id: placement.request.payment_method_id,
        currency: Currency::NONE,
        total: 0,
        items: Vec::new(),
        ship_to: None,
    }
}
