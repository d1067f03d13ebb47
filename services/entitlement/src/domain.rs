//! Decisions about unlocks, without I/O.

use std::collections::{BTreeMap, BTreeSet};

use events::{
    Kind, Order, OrderId, ProductId, Reason, UserId,
    entitlement::{EntitlementGranted, EntitlementRejected, EntitlementRevoked},
};
use saga::{
    Rows, Says,
    barrier::{Move, Status, Step, pass},
};

#[cfg(test)]
mod tests;

/// A command about one order.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Command {
    pub order: Order,
    pub ask: Ask,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ask {
    /// Unlock every digital item, or none.
    Grant,
    /// The parcel with the order's physical items was refused: take the unlock back.
    Revoke(Reason),
}

impl Command {
    pub fn new(order: Order, ask: Ask) -> Self {
        Command { order, ask }
    }
}

/// Status of one order's digital items, which is the same for all of them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Unlock {
    pub user_id: UserId,
    /// Never empty.
    pub products: BTreeSet<ProductId>,
    /// Never `Reserved` or `Refunded`: items are unlocked at once, and a revoked item counts as never granted.
    pub status: Status,
    pub reason: Option<Reason>,
}

/// The rows that a batch works on.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shelf {
    /// True for a product that is available.
    pub catalogue: BTreeMap<ProductId, bool>,
    pub unlocks: Rows<OrderId, Unlock>,
}

pub(crate) fn decide(shelf: &mut Shelf, command: &Command) -> Says {
    let order = &command.order;
    let step = match command.ask {
        Ask::Grant if !order.has(Kind::Digital) => return Says::ignored("nothing in the order is digital"),
        Ask::Revoke(_) if !order.is_mixed() => return Says::ignored("no mixed order: no unlock to take back"),
        Ask::Grant => Step::Try,
        Ask::Revoke(reason) => Step::Cancel(reason),
    };
    let status = shelf.unlocks.get(&order.order_id).map(|unlock| unlock.status);
    match pass(status, step) {
        Move::Reserve => grant(shelf, order),
        Move::Forbid(reason) | Move::GiveBack(reason) | Move::Release(reason) => {
            shelf.note(order, Status::Cancelled, Some(reason));
            Says::event(EntitlementRevoked { order: order.clone(), reason })
        }
        Move::Confirm => Says::ignored("an item is unlocked at once: there is nothing to confirm"),
        Move::Nothing(why) => Says::ignored(why),
    }
}

fn grant(shelf: &mut Shelf, order: &Order) -> Says {
    let refusal = order.items_of(Kind::Digital).find_map(|item| match shelf.catalogue.get(&item.product_id) {
        Some(true) => None,
        Some(false) => Some(Reason::Discontinued),
        None => Some(Reason::UnknownProduct),
    });
    if let Some(reason) = refusal {
        shelf.note(order, Status::Rejected, Some(reason));
        return Says::event(EntitlementRejected { order: order.clone(), reason });
    }
    shelf.note(order, Status::Confirmed, None);
    Says::event(EntitlementGranted { order: order.clone() })
}

impl Shelf {
    fn note(&mut self, order: &Order, status: Status, reason: Option<Reason>) {
        let unlocked = self.unlocks.get(&order.order_id).map(|unlock| unlock.products.clone());
        let products = unlocked.unwrap_or_else(|| order.items_of(Kind::Digital).map(|item| item.product_id).collect());
        self.unlocks.put(order.order_id, Unlock { user_id: order.user_id, products, status, reason });
    }
}
