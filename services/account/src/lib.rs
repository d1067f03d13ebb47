//! The account service: reserves, debits and refunds the buyer's balance.
//!
//! | on | decision | says |
//! |---|---|---|
//! | `OrderCreated` | reserve (Try) | `BalanceReserved`, `BalanceRejected` |
//! | `StockReserved` | debit (Confirm) | `BalanceDebited` |
//! | `PaymentDeclined` | give back (Cancel) | `BalanceReleased`, `BalanceRefunded` |
//! | `PaymentVoided` | give back (Cancel) | `BalanceReleased`, `BalanceRefunded` |
//! | `PaymentRefunded` | give back (Cancel) | `BalanceReleased`, `BalanceRefunded` |
//! | `UserErased` | scrub | nothing |

mod domain;
mod store;

use chrono::{DateTime, Utc};
use events::{
    OrderId, Publisher,
    account::{BalanceDebited, BalanceRefunded, BalanceRejected, BalanceReleased, BalanceReserved},
    erasure::UserErased,
    inventory::StockReserved,
    order::OrderCreated,
    payment::{PaymentDeclined, PaymentRefunded, PaymentVoided},
    publisher,
};
use saga::{
    Says, Service, StoreError, Table, says,
    table::{cancels, confirms, tries},
};
use sqlx::{PgConnection, migrate::Migrator};

pub use domain::{Ask, Balance, Books, Command, Reservation};

/// The service's own tables.
pub static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// Rights of the database's roles on them.
pub const GRANTS: &str = include_str!("../grants.sql");

/// Manages the buyers' balances.
#[derive(Debug, Clone, Copy, Default)]
pub struct Account;

impl Service for Account {
    type Command = Command;
    type Rows = Books;

    const PUBLISHER: Publisher = publisher::ACCOUNT;

    fn table() -> Table<Command> {
        let given_back = says![BalanceReleased, BalanceRefunded];
        Table::of(Self::PUBLISHER)
            .on(tries("reserve"), says![BalanceReserved, refuses BalanceRejected], |e: OrderCreated| {
                Command::new(e.order, Ask::Reserve)
            })
            .on(confirms("debit"), says![BalanceDebited], |e: StockReserved| Command::new(e.order, Ask::Debit))
            .on(cancels("give back"), given_back, |e: PaymentDeclined| Command::new(e.order, Ask::GiveBack(e.reason)))
            .on(cancels("give back"), given_back, |e: PaymentVoided| Command::new(e.order, Ask::GiveBack(e.reason)))
            .on(cancels("give back"), given_back, |e: PaymentRefunded| Command::new(e.order, Ask::GiveBack(e.reason)))
            .on("scrub", says![], |event: UserErased| Command::Scrub(event))
    }

    fn saga_of(command: &Command) -> OrderId {
        command.order_id()
    }

    async fn load(&self, db: &mut PgConnection, commands: &[&Command]) -> Result<Books, StoreError> {
        store::load(db, commands).await
    }

    fn decide(&self, books: &mut Books, command: &Command, _now: DateTime<Utc>) -> Says {
        domain::decide(books, command)
    }

    fn standing(&self, books: &Books, order: OrderId) -> Option<&'static str> {
        books.reservations.get(&order).map(|held| held.status.as_str())
    }

    async fn save(&self, db: &mut PgConnection, books: &Books) -> Result<(), StoreError> {
        store::save(db, books).await
    }
}
