//! The event about a user whose personal data has to go. It belongs to no order, and carries none.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{OrderId, UserId, order_id, publisher};

/// Most orders that one event names: a user with more is told of by several.
pub const MOST_ORDERS: usize = 1000;

/// The erasure of one user. It is `data.erasure`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(saga::schema::JsonSchema), schemars(crate = "saga::schema::schemars"))]
pub struct Erasure {
    /// The record's key, in place of an order's id. It follows from the user, and no order can have it.
    pub erasure_id: OrderId,
    pub user_id: UserId,
}

impl Erasure {
    /// The erasure of this user: the same however often it is asked for.
    pub fn of(user_id: UserId) -> Self {
        Erasure { erasure_id: order_id::of_erasure(user_id), user_id }
    }
}

impl saga::Facts for Erasure {
    fn saga_id(&self) -> OrderId {
        self.erasure_id
    }
}

saga::events! { publisher::ORDER, erasure: Erasure,
    /// A user has no order under way, can place none any more, and is to be forgotten: whoever keeps personal data of him removes
    /// it. Repeated where an erasure is completed later.
    UserErased {
        /// Orders of the user, at most 1000; further ones are in further events.
        orders: Vec<OrderId>,
    }
}

/// The events about a user with these orders: at least one.
pub fn of_user(user_id: UserId, orders: &[OrderId]) -> Vec<UserErased> {
    let event = |orders: &[OrderId]| UserErased { erasure: Erasure::of(user_id), orders: orders.to_vec() };
    if orders.is_empty() { vec![event(&[])] } else { orders.chunks(MOST_ORDERS).map(event).collect() }
}

/// Users whose data a batch removes, with their orders.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scrubs(BTreeMap<UserId, Vec<OrderId>>);

impl Scrubs {
    /// Adds the user and the orders of an event.
    pub fn add(&mut self, event: &UserErased) {
        self.0.entry(event.erasure.user_id).or_default().extend(&event.orders);
    }

    /// Each user once.
    pub fn iter(&self) -> impl Iterator<Item = (UserId, &[OrderId])> {
        self.0.iter().map(|(user, orders)| (*user, orders.as_slice()))
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn all_orders_of_a_user_are_named_once_in_events_with_one_key() {
        for (count, events) in [(0, 1), (1, 1), (MOST_ORDERS, 1), (MOST_ORDERS + 1, 2)] {
            let orders: Vec<OrderId> = (0..count).map(|number| OrderId(Uuid::from_u128(number as u128 + 1))).collect();
            let said = of_user(UserId(7), &orders);
            assert_eq!(said.len(), events);
            assert!(said.iter().all(|event| event.erasure == Erasure::of(UserId(7))));
            assert_eq!(said.into_iter().flat_map(|event| event.orders).collect::<Vec<_>>(), orders);
        }
    }

    #[test]
    fn no_client_can_take_the_id_of_an_erasure() {
        let id = Erasure::of(UserId(1)).erasure_id;
        assert!(order_id::is_derived(id));
        assert_ne!(id, Erasure::of(UserId(2)).erasure_id);
        assert_ne!(id, order_id::from_idempotency_key(UserId(1), ""));
    }
}
