//! The entitlement service: unlocks digital items, and takes the unlock back.
//!
//! | on | decision | says |
//! |---|---|---|
//! | `StockCommitted` | grant (Do) | `EntitlementGranted`, `EntitlementRejected` |
//! | `ShipmentRejected` | revoke (Cancel) | `EntitlementRevoked` |

mod domain;
mod store;

use chrono::{DateTime, Utc};
use events::{
    OrderId, Publisher,
    entitlement::{EntitlementGranted, EntitlementRejected, EntitlementRevoked},
    inventory::StockCommitted,
    publisher,
    shipping::ShipmentRejected,
};
use saga::{
    Says, Service, StoreError, Table, says,
    table::{cancels, does},
};
use sqlx::{PgConnection, migrate::Migrator};

pub use domain::{Ask, Command, Shelf, Unlock};

/// The service's own tables.
pub static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// Rights of the database's roles on them.
pub const GRANTS: &str = include_str!("../grants.sql");

/// Manages the buyers' entitlements.
#[derive(Debug, Clone, Copy, Default)]
pub struct Entitlement;

impl Service for Entitlement {
    type Command = Command;
    type Rows = Shelf;

    const PUBLISHER: Publisher = publisher::ENTITLEMENT;

    fn table() -> Table<Command> {
        Table::of(Self::PUBLISHER)
            .on(does("grant"), says![EntitlementGranted, refuses EntitlementRejected], |e: StockCommitted| {
                Command::new(e.order, Ask::Grant)
            })
            .on(cancels("revoke"), says![EntitlementRevoked], |e: ShipmentRejected| {
                Command::new(e.order, Ask::Revoke(e.reason))
            })
    }

    fn saga_of(command: &Command) -> OrderId {
        command.order.order_id
    }

    async fn load(&self, db: &mut PgConnection, commands: &[&Command]) -> Result<Shelf, StoreError> {
        store::load(db, commands).await
    }

    fn decide(&self, shelf: &mut Shelf, command: &Command, _now: DateTime<Utc>) -> Says {
        domain::decide(shelf, command)
    }

    fn standing(&self, shelf: &Shelf, order: OrderId) -> Option<&'static str> {
        shelf.unlocks.get(&order).map(|unlock| unlock.status.as_str())
    }

    async fn save(&self, db: &mut PgConnection, shelf: &Shelf) -> Result<(), StoreError> {
        store::save(db, shelf).await
    }
}
