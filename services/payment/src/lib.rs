//! The payment service: authorizes, captures, voids and refunds payments; cards through the payment gateway, wallet and points
//! internally.
//!
//! | on | decision | says |
//! |---|---|---|
//! | `BalanceReserved` | authorize (Try) | `PaymentAuthorized`, `PaymentDeclined` |
//! | `BalanceDebited` | capture (Confirm) | `PaymentCaptured`, `PaymentCaptureFailed` |
//! | `StockRejected` | cancel (Cancel) | `PaymentVoided`, `PaymentRefunded` |
//! | `StockReleased` | cancel (Cancel) | `PaymentVoided`, `PaymentRefunded` |
//! | `UserErased` | scrub | nothing |
//! | the answer to authorize | settle (Try) | `PaymentAuthorized`, `PaymentDeclined` |
//! | the answer to capture | settle (Confirm) | `PaymentCaptured`, `PaymentCaptureFailed` |
//! | the answer to void | settle (Cancel) | `PaymentVoided`, `PaymentRefunded` |
//! | the answer to refund | settle (Cancel) | `PaymentVoided`, `PaymentRefunded` |
//! | the answer to void-instead | settle (Cancel) | `PaymentVoided`, `PaymentRefunded` |
//! | the answer to refund-instead | settle (Cancel) | `PaymentVoided`, `PaymentRefunded` |
//!
//! Card payments go through durable attempts ([`calls`], [`gateway`]); the gateway's answer is handled by a decision like any
//! event. [`lifecycle`] has the outcome of every step in every phase.

pub mod breaker;
pub mod by_hand;
pub mod calls;
pub mod gateway;
pub mod keys;
pub mod lifecycle;
pub mod method;
pub mod methods_api;
pub mod phase;
pub mod reply;
pub mod sealed_details;

mod domain;
mod store;

use chrono::{DateTime, Utc};
use events::{
    OrderId, Publisher,
    account::{BalanceDebited, BalanceReserved},
    erasure::UserErased,
    inventory::{StockRejected, StockReleased},
    payment::{
        PaymentAuthorized, PaymentCaptureFailed, PaymentCaptured, PaymentDeclined, PaymentRefunded, PaymentVoided,
    },
    publisher,
};
use saga::{
    Says, Service, StoreError, Table, says,
    table::{answer, cancels, confirms, tries},
};
use sqlx::{PgConnection, migrate::Migrator};

use calls::Call;
use lifecycle::Step;

pub use domain::{About, Books, Command, Transaction};

/// The service's own tables.
pub static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// Rights of the database's roles on them.
pub const GRANTS: &str = include_str!("../grants.sql");

/// Manages the payments.
#[derive(Debug, Clone, Copy, Default)]
pub struct Payment;

/// Kinds of calls, by the decisions that ask for them.
const AUTHORIZING: &[&str] = &[Call::Authorize.as_str()];
const CAPTURING: &[&str] = &[Call::Capture.as_str()];
const UNDOING: &[&str] =
    &[Call::Void.as_str(), Call::Refund.as_str(), Call::VoidInstead.as_str(), Call::RefundInstead.as_str()];

impl Service for Payment {
    type Command = Command;
    type Rows = Books;

    const PUBLISHER: Publisher = publisher::PAYMENT;

    fn table() -> Table<Command> {
        let authorized = says![PaymentAuthorized, refuses PaymentDeclined];
        let captured = says![PaymentCaptured, refuses PaymentCaptureFailed];
        let undone = says![PaymentVoided, PaymentRefunded];
        let cancel = cancels("cancel").asking(UNDOING);
        let table = Table::of(Self::PUBLISHER)
            .on(tries("authorize").asking(AUTHORIZING), authorized, |e: BalanceReserved| {
                Command::asked(e.order, Step::Authorize)
            })
            .on(confirms("capture").asking(CAPTURING), captured, |e: BalanceDebited| {
                Command::asked(e.order, Step::Capture)
            })
            .on(cancel, undone, |e: StockRejected| Command::asked(e.order, Step::Cancel(e.reason)))
            .on(cancel, undone, |e: StockReleased| Command::asked(e.order, Step::Cancel(e.reason)))
            .on("scrub", says![], |event: UserErased| Command::Scrub(event))
            .when(answer(Call::Authorize.as_str()), tries("settle").asking(UNDOING), authorized)
            .when(answer(Call::Capture.as_str()), confirms("settle").asking(UNDOING), captured);
        Call::UNDOING
            .into_iter()
            .fold(table, |table, call| table.when(answer(call.as_str()), cancels("settle").asking(UNDOING), undone))
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
        books.transactions.get(&order).map(|payment| payment.phase.as_str())
    }

    async fn save(&self, db: &mut PgConnection, books: &Books) -> Result<(), StoreError> {
        store::save(db, books).await
    }
}
