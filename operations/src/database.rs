//! The databases, one a service; no service can open another's.

use std::fmt;

use events::{Publisher, publisher};

/// A service's database. The role that owns it has the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Database {
    Orders,
    Accounts,
    Payments,
    Inventory,
    Shipping,
    Entitlements,
    Notifications,
}

impl Database {
    /// All of them, in the order in which the saga first reaches them.
    pub const ALL: [Database; 7] = [
        Database::Orders,
        Database::Accounts,
        Database::Payments,
        Database::Inventory,
        Database::Shipping,
        Database::Entitlements,
        Database::Notifications,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Database::Orders => "orders",
            Database::Accounts => "accounts",
            Database::Payments => "payments",
            Database::Inventory => "inventory",
            Database::Shipping => "shipping",
            Database::Entitlements => "entitlements",
            Database::Notifications => "notifications",
        }
    }

    /// The service that it belongs to, whose events its outbox holds.
    pub fn publisher(self) -> Publisher {
        match self {
            Database::Orders => publisher::ORDER,
            Database::Accounts => publisher::ACCOUNT,
            Database::Payments => publisher::PAYMENT,
            Database::Inventory => publisher::INVENTORY,
            Database::Shipping => publisher::SHIPPING,
            Database::Entitlements => publisher::ENTITLEMENT,
            Database::Notifications => publisher::NOTIFICATION,
        }
    }

    /// All of them with their publishers, as the relay is told.
    pub fn publishers() -> String {
        let bindings = Self::ALL.map(|database| format!("{database}={}", database.publisher()));
        bindings.join(",")
    }

    /// The environment variable that carries its URL.
    pub fn variable(self) -> String {
        format!("DATABASE_URL_{}", self.name().to_uppercase())
    }
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
