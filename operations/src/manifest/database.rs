//! The databases, one per service; no service can open another's.

use std::fmt;

use events::{Publisher, publisher};

/// A service's database. The role that owns it has the same name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Database {
    /// Position among the databases of its system: the saga reaches them in this order.
    place: usize,
    name: &'static str,
    publisher: Publisher,
}

/// The shop's databases, for code that knows their tables: the audit, reconciling, scenarios. Code that works on any database
/// gets the list from the [`Manifest`](crate::Manifest).
impl Database {
    pub const ORDERS: Database = Database::new(0, "orders", publisher::ORDER);
    pub const ACCOUNTS: Database = Database::new(1, "accounts", publisher::ACCOUNT);
    pub const PAYMENTS: Database = Database::new(2, "payments", publisher::PAYMENT);
    pub const INVENTORY: Database = Database::new(3, "inventory", publisher::INVENTORY);
    pub const SHIPPING: Database = Database::new(4, "shipping", publisher::SHIPPING);
    pub const ENTITLEMENTS: Database = Database::new(5, "entitlements", publisher::ENTITLEMENT);
    pub const NOTIFICATIONS: Database = Database::new(6, "notifications", publisher::NOTIFICATION);

    /// All of the shop's databases, in the order in which the saga first reaches them.
    pub const OF_THE_SHOP: [Database; 7] = [
        Database::ORDERS,
        Database::ACCOUNTS,
        Database::PAYMENTS,
        Database::INVENTORY,
        Database::SHIPPING,
        Database::ENTITLEMENTS,
        Database::NOTIFICATIONS,
    ];
}

impl Database {
    pub(super) const fn new(place: usize, name: &'static str, publisher: Publisher) -> Self {
        Database { place, name, publisher }
    }

    pub fn name(self) -> &'static str {
        self.name
    }

    /// The service that owns it, whose events its outbox holds.
    pub fn publisher(self) -> Publisher {
        self.publisher
    }

    /// The environment variable with its URL.
    pub fn variable(self) -> String {
        format!("DATABASE_URL_{}", self.name.to_uppercase())
    }

    /// The environment variable with its URL for an operator's role.
    pub fn operators_variable(self) -> String {
        format!("DATABASE_OPERATOR_URL_{}", self.name.to_uppercase())
    }

    /// Tells whether it is one of the shop's own.
    pub fn is_of_the_shop(self) -> bool {
        Database::OF_THE_SHOP.contains(&self)
    }
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
