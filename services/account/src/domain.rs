//! Decisions about balances, without I/O.

use std::collections::BTreeSet;

use events::{
    Currency, Order, OrderId, Reason, UserId,
    account::{BalanceDebited, BalanceRefunded, BalanceRejected, BalanceReleased, BalanceReserved},
    erasure::{Scrubs, UserErased},
};
use saga::{
    Rows, Says,
    barrier::{Move, Status, Step, pass},
};

#[cfg(test)]
mod tests;

/// A command about one order, or about a user.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Command {
    About {
        order: Order,
        ask: Ask,
    },
    /// The user's personal data has to go.
    Scrub(UserErased),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ask {
    /// Hold the total.
    Reserve,
    /// Debit what is held.
    Debit,
    /// Compensate, whatever state the reservation is in.
    GiveBack(Reason),
}

impl Command {
    pub fn new(order: Order, ask: Ask) -> Self {
        Command::About { order, ask }
    }

    /// The order; of a user, the id that stands in its place.
    pub fn order_id(&self) -> OrderId {
        match self {
            Command::About { order, .. } => order.order_id,
            Command::Scrub(event) => event.erasure.erasure_id,
        }
    }

    pub(crate) fn order(&self) -> Option<&Order> {
        match self {
            Command::About { order, .. } => Some(order),
            Command::Scrub(_) => None,
        }
    }
}

/// A buyer's balance in one currency, and the part of it that is held. `0 <= reserved <= balance`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Balance {
    pub balance: i64,
    pub reserved: i64,
}

/// One order's share of a balance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reservation {
    pub user_id: UserId,
    pub currency: Currency,
    pub amount: i64,
    pub status: Status,
    pub reason: Option<Reason>,
}

/// The rows that a batch works on.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Books {
    pub users: BTreeSet<UserId>,
    pub balances: Rows<(UserId, Currency), Balance>,
    pub reservations: Rows<OrderId, Reservation>,
    /// Users whose data this batch removes.
    pub scrubs: Scrubs,
}

pub(crate) fn decide(books: &mut Books, command: &Command) -> Says {
    match command {
        Command::About { order, ask } => settle(books, order, *ask),
        Command::Scrub(event) => {
            books.scrubs.add(event);
            Says::silence()
        }
    }
}

fn settle(books: &mut Books, order: &Order, ask: Ask) -> Says {
    let step = match ask {
        Ask::Reserve => Step::Try,
        Ask::Debit => Step::Confirm,
        Ask::GiveBack(reason) => Step::Cancel(reason),
    };
    let held = books.reservations.get(&order.order_id).copied();
    let next = pass(held.map(|held| held.status), step);
    if let Some(gone) = held.filter(|_| next.moves_what_is_held()).and_then(|held| books.missing(&held)) {
        return Says::impossible(gone);
    }
    match next {
        Move::Reserve => reserve(books, order),
        Move::Confirm => {
            books.change(order, |balance, amount| {
                balance.balance -= amount;
                balance.reserved -= amount;
            });
            books.note(order, Status::Confirmed, None);
            Says::event(BalanceDebited { order: order.clone() })
        }
        Move::Release(reason) => {
            books.change(order, |balance, amount| balance.reserved -= amount);
            books.note(order, Status::Cancelled, Some(reason));
            Says::event(BalanceReleased { order: order.clone(), reason })
        }
        Move::Forbid(reason) => {
            books.note(order, Status::Cancelled, Some(reason));
            Says::event(BalanceReleased { order: order.clone(), reason })
        }
        Move::GiveBack(reason) => {
            books.change(order, |balance, amount| balance.balance += amount);
            books.note(order, Status::Refunded, Some(reason));
            let amount = held.map_or(0, |held| held.amount);
            Says::event(BalanceRefunded { order: order.clone(), reason, amount })
        }
        Move::Nothing(why) => Says::ignored(why),
    }
}

fn reserve(books: &mut Books, order: &Order) -> Says {
    let reject = |books: &mut Books, reason| {
        books.note(order, Status::Rejected, Some(reason));
        Says::event(BalanceRejected { order: order.clone(), reason })
    };
    if !books.users.contains(&order.user_id) {
        return reject(books, Reason::UnknownUser);
    }
    match books.balances.get_mut(&(order.user_id, order.currency)) {
        Some(balance) if balance.balance - balance.reserved >= order.total => balance.reserved += order.total,
        Some(_) | None => return reject(books, Reason::InsufficientBalance),
    }
    books.note(order, Status::Reserved, None);
    Says::event(BalanceReserved { order: order.clone() })
}

impl Books {
    /// What is missing of the balance held for an order. Continuing without it would publish something that has not happened.
    fn missing(&self, held: &Reservation) -> Option<String> {
        let Reservation { user_id, currency, .. } = held;
        let there = self.balances.get(&(*user_id, *currency)).is_some();
        (!there).then(|| format!("user {user_id} has a reservation, but no balance in {currency} any more"))
    }

    /// Changes the buyer's balance by the amount reserved for the order.
    fn change(&mut self, order: &Order, change: impl FnOnce(&mut Balance, i64)) {
        let Some(held) = self.reservations.get(&order.order_id) else { return };
        if let Some(balance) = self.balances.get_mut(&(held.user_id, held.currency)) {
            change(balance, held.amount);
        }
    }

    /// Records a reservation. The first event fixes the owner and the amount; later ones only change the status.
    fn note(&mut self, order: &Order, status: Status, reason: Option<Reason>) {
        let (user_id, currency, amount) = (order.user_id, order.currency, order.total);
        let asked = Reservation { user_id, currency, amount, status, reason };
        let row = self.reservations.get(&order.order_id).map_or(asked, |held| Reservation { status, reason, ..*held });
        self.reservations.put(order.order_id, row);
    }
}
