//! The inventory service: reserves, commits and takes back stock.
//!
//! Whether a buyer's cancellation or a deadline came in time is decided here: once stock is committed, the saga completes.
//!
//! | on | decision | says |
//! |---|---|---|
//! | `PaymentAuthorized` | reserve (Try) | `StockReserved`, `StockRejected` |
//! | `PaymentCaptured` | commit (Confirm) | `StockCommitted` |
//! | `PaymentCaptureFailed` | take back (Cancel) | `StockReleased` |
//! | `ShipmentRejected` | take back (Cancel) | `StockReleased` |
//! | `EntitlementRejected` | take back (Cancel) | `StockReleased` |
//! | `OrderCancelRequested` | withdraw (Withdraw) | `StockReleased` |
//! | `OrderTimedOut` | withdraw (Withdraw) | `StockReleased` |

mod domain;
mod store;

use chrono::{DateTime, Utc};
use events::{
    OrderId, Publisher, Reason,
    entitlement::EntitlementRejected,
    inventory::{StockCommitted, StockRejected, StockReleased, StockReserved},
    order::{OrderCancelRequested, OrderTimedOut},
    payment::{PaymentAuthorized, PaymentCaptureFailed, PaymentCaptured},
    publisher,
    shipping::ShipmentRejected,
};
use saga::{
    Says, Service, StoreError, Table, says,
    table::{cancels, confirms, tries, withdraws},
};
use sqlx::{PgConnection, migrate::Migrator};

pub use domain::{Ask, Command, Reservation, Stock, Warehouse};

/// The service's own tables.
pub static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// Rights of the database's roles on them.
pub const GRANTS: &str = include_str!("../grants.sql");

/// Manages the stock.
#[derive(Debug, Clone, Copy, Default)]
pub struct Inventory;

impl Service for Inventory {
    type Command = Command;
    type Rows = Warehouse;

    const PUBLISHER: Publisher = publisher::INVENTORY;

    fn table() -> Table<Command> {
        let released = says![StockReleased];
        Table::of(Self::PUBLISHER)
            .on(tries("reserve"), says![StockReserved, refuses StockRejected], |e: PaymentAuthorized| {
                Command::new(e.order, Ask::Reserve)
            })
            .on(confirms("commit"), says![StockCommitted], |e: PaymentCaptured| Command::new(e.order, Ask::Commit))
            .on(cancels("take back"), released, |e: PaymentCaptureFailed| {
                Command::new(e.order, Ask::TakeBack(e.reason))
            })
            .on(cancels("take back"), released, |e: ShipmentRejected| Command::new(e.order, Ask::TakeBack(e.reason)))
            .on(cancels("take back"), released, |e: EntitlementRejected| Command::new(e.order, Ask::TakeBack(e.reason)))
            .on(withdraws("withdraw"), released, |e: OrderCancelRequested| {
                Command::new(e.order, Ask::Withdraw(Reason::CancelledByUser))
            })
            .on(withdraws("withdraw"), released, |e: OrderTimedOut| {
                Command::new(e.order, Ask::Withdraw(Reason::TimedOut))
            })
    }

    fn saga_of(command: &Command) -> OrderId {
        command.order.order_id
    }

    async fn load(&self, db: &mut PgConnection, commands: &[&Command]) -> Result<Warehouse, StoreError> {
        store::load(db, commands).await
    }

    fn decide(&self, warehouse: &mut Warehouse, command: &Command, _now: DateTime<Utc>) -> Says {
        domain::decide(warehouse, command)
    }

    fn standing(&self, warehouse: &Warehouse, order: OrderId) -> Option<&'static str> {
        warehouse.reservations.get(&order).map(|held| held.status.as_str())
    }

    async fn save(&self, db: &mut PgConnection, warehouse: &Warehouse) -> Result<(), StoreError> {
        store::save(db, warehouse).await
    }
}
