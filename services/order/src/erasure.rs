//! Erasure of a user's personal data: who is erased, and when it may be.

use std::collections::{BTreeMap, BTreeSet};

use events::{OrderId, UserId, erasure};
use saga::{Rows, Says};

/// What is known of the users that a batch is about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Users {
    /// Those that are erased.
    pub erased: Rows<UserId, ()>,
    /// The orders of those that are to be erased.
    pub orders: BTreeMap<UserId, OrdersOf>,
    /// Those whose data this batch removes.
    pub scrubbed: BTreeSet<UserId>,
}

/// The orders of a user.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct OrdersOf {
    /// Number of those that have not ended.
    pub under_way: usize,
    /// All of them.
    pub all: Vec<OrderId>,
}

impl Users {
    pub(crate) fn is_erased(&self, user: UserId) -> bool {
        self.erased.get(&user).is_some()
    }

    /// Closes a user without orders under way, and says that the user is erased, however often it is asked for.
    pub(crate) fn erase(&mut self, user: UserId) -> Says {
        let orders = self.orders.get(&user).cloned().unwrap_or_default();
        if orders.under_way > 0 {
            return Says::refused(format!(
                "user {user} has {} orders that have not ended: wait until they have, or cancel them, and ask again",
                orders.under_way
            ));
        }
        if !self.is_erased(user) {
            self.erased.put(user, ());
        }
        self.scrubbed.insert(user);
        erasure::of_user(user, &orders.all).into_iter().fold(Says::silence(), Says::and_event)
    }
}
