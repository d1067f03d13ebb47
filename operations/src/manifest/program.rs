//! A program of a system, as seen by code that does not start it.

use std::fmt;

use super::Database;

/// A program that runs as a process of its own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Program {
    /// Position in the manifest.
    place: usize,
    name: &'static str,
    role: Role,
}

/// Role of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// A service with its database. Its consumer group has the service's name.
    Service(Database),
    /// Stands in for an outside system: knows neither databases nor Kafka.
    Outside,
    /// Publishes every database's outbox.
    Relay,
}

/// The shop's programs, for code that knows what they do: settings, APIs, program-specific faults. Code that works on any program
/// gets the list from the [`Manifest`](crate::Manifest).
impl Program {
    pub const ORDER: Program = Program::new(0, "order", Role::Service(Database::ORDERS));
    pub const ACCOUNT: Program = Program::new(1, "account", Role::Service(Database::ACCOUNTS));
    pub const PAYMENT: Program = Program::new(2, "payment", Role::Service(Database::PAYMENTS));
    pub const INVENTORY: Program = Program::new(3, "inventory", Role::Service(Database::INVENTORY));
    pub const SHIPPING: Program = Program::new(4, "shipping", Role::Service(Database::SHIPPING));
    pub const ENTITLEMENT: Program = Program::new(5, "entitlement", Role::Service(Database::ENTITLEMENTS));
    pub const NOTIFICATION: Program = Program::new(6, "notification", Role::Service(Database::NOTIFICATIONS));
    pub const PAYMENT_GATEWAY: Program = Program::new(7, "payment-gateway", Role::Outside);
    pub const OUTBOX_RELAY: Program = Program::new(8, "outbox-relay", Role::Relay);
}

impl Program {
    pub(super) const fn new(place: usize, name: &'static str, role: Role) -> Self {
        Program { place, name, role }
    }

    /// The name of the binary.
    pub fn name(self) -> &'static str {
        self.name
    }

    /// A variable named after this program, such as `PID_OUTBOX_RELAY`.
    pub fn variable(self, prefix: &str) -> String {
        format!("{prefix}_{}", self.name.to_uppercase().replace('-', "_"))
    }

    pub fn role(self) -> Role {
        self.role
    }

    /// The database that only this program opens.
    pub fn database(self) -> Option<Database> {
        match self.role {
            Role::Service(database) => Some(database),
            Role::Outside | Role::Relay => None,
        }
    }

    /// Tells whether it has a consumer group.
    pub fn consumes(self) -> bool {
        self.database().is_some()
    }

    pub fn speaks_kafka(self) -> bool {
        self.role != Role::Outside
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
