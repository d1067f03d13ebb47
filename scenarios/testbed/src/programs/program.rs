//! The programs of the system and what each is told by its environment.

use std::{fmt, path::PathBuf};

use anyhow::Context;
use secrecy::ExposeSecret;

use super::super::{Database, Environment, state::StateDir};

/// A program that runs as a process of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Program {
    Order,
    Account,
    Payment,
    Inventory,
    Shipping,
    Entitlement,
    Notification,
    PaymentGateway,
    OutboxRelay,
}

impl Program {
    pub const ALL: [Program; 9] = [
        Program::Order,
        Program::Account,
        Program::Payment,
        Program::Inventory,
        Program::Shipping,
        Program::Entitlement,
        Program::Notification,
        Program::PaymentGateway,
        Program::OutboxRelay,
    ];

    /// The name of the binary.
    pub fn name(self) -> &'static str {
        match self {
            Program::Order => "order",
            Program::Account => "account",
            Program::Payment => "payment",
            Program::Inventory => "inventory",
            Program::Shipping => "shipping",
            Program::Entitlement => "entitlement",
            Program::Notification => "notification",
            Program::PaymentGateway => "payment-gateway",
            Program::OutboxRelay => "outbox-relay",
        }
    }

    /// A variable about this program, such as `PID_OUTBOX_RELAY`.
    pub fn variable(self, prefix: &str) -> String {
        format!("{prefix}_{}", self.name().to_uppercase().replace('-', "_"))
    }

    /// The database that it alone opens.
    pub fn database(self) -> Option<Database> {
        match self.databases() {
            [own] => Some(*own),
            _ => None,
        }
    }

    /// All databases that it opens: the relay reads everybody's outbox.
    pub fn databases(self) -> &'static [Database] {
        match self {
            Program::Order => &[Database::Orders],
            Program::Account => &[Database::Accounts],
            Program::Payment => &[Database::Payments],
            Program::Inventory => &[Database::Inventory],
            Program::Shipping => &[Database::Shipping],
            Program::Entitlement => &[Database::Entitlements],
            Program::Notification => &[Database::Notifications],
            Program::PaymentGateway => &[],
            Program::OutboxRelay => &Database::ALL,
        }
    }

    /// It has a consumer group of its own.
    pub fn consumes(self) -> bool {
        self.database().is_some()
    }

    pub fn speaks_kafka(self) -> bool {
        self != Program::PaymentGateway
    }

    /// The binary, which lies beside the running one (a test's lies one directory deeper).
    ///
    /// # Errors
    /// If it has not been built.
    pub fn binary(self) -> anyhow::Result<PathBuf> {
        let runner = std::env::current_exe().context("finding the running program")?;
        let binaries = runner.ancestors().skip(1).take(2).map(|directory| directory.join(self.name()));
        let found = binaries.into_iter().find(|binary| binary.is_file());
        found.with_context(|| {
            format!("the program `{self}` does not lie beside {}; run cargo build --workspace", runner.display())
        })
    }

    /// What it has to know about the system.
    pub(super) fn wiring(
        self,
        environment: &Environment,
        state: &StateDir,
        partitions: i32,
    ) -> anyhow::Result<Vec<(String, String)>> {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut variables = vec![pair("KAFKA_PARTITIONS", &partitions.to_string())];
        if self == Program::PaymentGateway {
            // Its books outlive it, as a real provider's do.
            variables.push(pair("LEDGER_FILE", &state.ledger().display().to_string()));
        } else {
            variables.push(pair("KAFKA_BROKERS", &environment.brokers));
        }
        if self.consumes() {
            // Started again after it has died, it has its partitions back at once.
            variables.push(pair("KAFKA_INSTANCE_ID", self.name()));
        }
        if let Some(database) = self.database() {
            variables.push(pair("DATABASE_URL", environment.database(database)?.expose_secret()));
        }
        match self {
            Program::Payment => {
                variables.push(pair("GATEWAY_URL", environment.gateway()?));
                variables.push(pair("PAYMENT_DETAILS_KEY", environment.payment_details_key()?.expose_secret()));
            }
            Program::Notification => {
                let directory = environment.mail_dir.as_ref();
                variables.extend(directory.map(|path| pair("MAIL_DIR", &path.display().to_string())));
            }
            Program::OutboxRelay => {
                variables.push(pair("RELAY_PUBLISHERS", &Database::publishers()));
                for database in Database::ALL {
                    variables.push(pair(&database.variable(), environment.database(database)?.expose_secret()));
                }
            }
            Program::Order
            | Program::Account
            | Program::Inventory
            | Program::Shipping
            | Program::Entitlement
            | Program::PaymentGateway => {}
        }
        Ok(variables)
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
