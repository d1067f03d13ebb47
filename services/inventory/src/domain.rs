//! Decisions about stock, without I/O.

use std::collections::BTreeMap;

use events::{
    Order, OrderId, ProductId, Reason,
    inventory::{StockCommitted, StockRejected, StockReleased, StockReserved},
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
    /// Hold every item, or none.
    Reserve,
    /// Remove what is held from the stock, finally.
    Commit,
    /// Compensate, whatever state the reservation is in.
    TakeBack(Reason),
    /// Compensate, unless it has been committed.
    Withdraw(Reason),
}

impl Command {
    pub fn new(order: Order, ask: Ask) -> Self {
        Command { order, ask }
    }
}

/// The stock of one product, and the part of it that is held. `0 <= reserved <= quantity`, in pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stock {
    pub quantity: i64,
    pub reserved: i64,
}

/// Status of one order's items, which is the same for all of them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reservation {
    /// Pieces of each product, never empty.
    pub items: BTreeMap<ProductId, i64>,
    pub status: Status,
    pub reason: Option<Reason>,
}

/// The rows that a batch works on.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Warehouse {
    pub stock: Rows<ProductId, Stock>,
    pub reservations: Rows<OrderId, Reservation>,
}

pub(crate) fn decide(warehouse: &mut Warehouse, command: &Command) -> Says {
    let order = &command.order;
    if let Some(why) = nonsense(order) {
        return Says::refused(why);
    }
    let step = match command.ask {
        Ask::Reserve => Step::Try,
        Ask::Commit => Step::Confirm,
        Ask::TakeBack(reason) => Step::Cancel(reason),
        Ask::Withdraw(reason) => Step::Withdraw(reason),
    };
    let status = warehouse.reservations.get(&order.order_id).map(|held| held.status);
    let released = |reason| Says::event(StockReleased { order: order.clone(), reason });
    let next = pass(status, step);
    if next.moves_what_is_held()
        && let Some(gone) = warehouse.missing(order)
    {
        return Says::impossible(gone);
    }
    match next {
        Move::Reserve => reserve(warehouse, order),
        Move::Confirm => {
            warehouse.change(order, |stock, quantity| {
                stock.quantity -= quantity;
                stock.reserved -= quantity;
            });
            warehouse.note(order, Status::Confirmed, None);
            Says::event(StockCommitted { order: order.clone() })
        }
        Move::Release(reason) => {
            warehouse.change(order, |stock, quantity| stock.reserved -= quantity);
            warehouse.note(order, Status::Cancelled, Some(reason));
            released(reason)
        }
        Move::Forbid(reason) => {
            warehouse.note(order, Status::Cancelled, Some(reason));
            released(reason)
        }
        Move::GiveBack(reason) => {
            warehouse.change(order, |stock, quantity| stock.quantity += quantity);
            warehouse.note(order, Status::Refunded, Some(reason));
            released(reason)
        }
        Move::Nothing(why) => Says::ignored(why),
    }
}

/// The reason why the order service cannot have published this order: it lets none of these through.
fn nonsense(order: &Order) -> Option<&'static str> {
    if order.items.is_empty() {
        return Some("an order without items");
    }
    if order.items.iter().any(|item| item.quantity < 1) {
        return Some("an item with a quantity below one");
    }
    (quantities(order).len() < order.items.len()).then_some("two items of one product")
}

fn quantities(order: &Order) -> BTreeMap<ProductId, i64> {
    order.items.iter().map(|item| (item.product_id, item.quantity)).collect()
}

fn reserve(warehouse: &mut Warehouse, order: &Order) -> Says {
    let refusal = order.items.iter().find_map(|item| {
        let reason = match warehouse.stock.get(&item.product_id) {
            Some(stock) if stock.quantity - stock.reserved >= item.quantity => return None,
            Some(_) => Reason::OutOfStock,
            None => Reason::UnknownProduct,
        };
        Some((reason, item.product_id))
    });
    if let Some((reason, product_id)) = refusal {
        warehouse.note(order, Status::Rejected, Some(reason));
        return Says::event(StockRejected { order: order.clone(), reason, product_id });
    }
    warehouse.note(order, Status::Reserved, None);
    warehouse.change(order, |stock, quantity| stock.reserved += quantity);
    Says::event(StockReserved { order: order.clone() })
}

impl Warehouse {
    /// What is missing of the stock held for an order. Continuing without it would publish something that has not happened.
    fn missing(&self, order: &Order) -> Option<String> {
        let held = self.reservations.get(&order.order_id)?;
        let gone = held.items.keys().find(|product| self.stock.get(product).is_none())?;
        Some(format!("product {gone} is reserved, but has no stock any more"))
    }

    /// Changes the stock of each product by the quantity recorded for the order.
    fn change(&mut self, order: &Order, change: impl Fn(&mut Stock, i64)) {
        let Some(held) = self.reservations.get(&order.order_id) else { return };
        for (product, quantity) in &held.items {
            if let Some(stock) = self.stock.get_mut(product) {
                change(stock, *quantity);
            }
        }
    }

    fn note(&mut self, order: &Order, status: Status, reason: Option<Reason>) {
        let held = self.reservations.get(&order.order_id);
        let items = held.map_or_else(|| quantities(order), |held| held.items.clone());
        self.reservations.put(order.order_id, Reservation { items, status, reason });
    }
}
