//! The shipping service: books parcels for physical items, and cancels them.
//!
//! | on | decision | says |
//! |---|---|---|
//! | `StockCommitted` | arrange (Do) | `ShipmentArranged`, `ShipmentRejected` |
//! | `EntitlementRejected` | cancel (Cancel) | `ShipmentCancelled` |
//! | `UserErased` | scrub | nothing |

mod domain;
mod store;

use chrono::{DateTime, Utc};
use events::{
    OrderId, Publisher,
    entitlement::EntitlementRejected,
    erasure::UserErased,
    inventory::StockCommitted,
    publisher,
    shipping::{ShipmentArranged, ShipmentCancelled, ShipmentRejected},
};
use personal_data::Vault;
use saga::{
    Says, Service, StoreError, Table, says,
    table::{cancels, does},
};
use sqlx::{PgConnection, migrate::Migrator};

pub use domain::{Ask, Command, Depot, Shipment, tracking_no};

/// The service's own tables.
pub static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// Rights of the database's roles on them.
pub const GRANTS: &str = include_str!("../grants.sql");

/// Manages the parcels.
#[derive(Debug, Clone, Default)]
pub struct Shipping {
    /// Keys that addresses are sealed under.
    pub vault: Vault,
}

impl Service for Shipping {
    type Command = Command;
    type Rows = Depot;

    const PUBLISHER: Publisher = publisher::SHIPPING;

    fn table() -> Table<Command> {
        Table::of(Self::PUBLISHER)
            .on(does("arrange"), says![ShipmentArranged, refuses ShipmentRejected], |e: StockCommitted| {
                Command::new(e.order, Ask::Arrange)
            })
            .on(cancels("cancel"), says![ShipmentCancelled], |e: EntitlementRejected| {
                Command::new(e.order, Ask::Cancel(e.reason))
            })
            .on("scrub", says![], |event: UserErased| Command::Scrub(event))
    }

    fn saga_of(command: &Command) -> OrderId {
        command.order_id()
    }

    async fn load(&self, db: &mut PgConnection, commands: &[&Command]) -> Result<Depot, StoreError> {
        store::load(db, commands, &self.vault).await
    }

    fn decide(&self, depot: &mut Depot, command: &Command, _now: DateTime<Utc>) -> Says {
        domain::decide(depot, command)
    }

    fn standing(&self, depot: &Depot, order: OrderId) -> Option<&'static str> {
        depot.shipments.get(&order).map(|shipment| shipment.status.as_str())
    }

    async fn save(&self, db: &mut PgConnection, depot: &Depot) -> Result<(), StoreError> {
        store::save(db, depot).await
    }
}
