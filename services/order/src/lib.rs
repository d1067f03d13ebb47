//! The order service: prices and places orders, and ends them.
//!
//! | on | decision | says |
//! |---|---|---|
//! | `OrderRequested` | place | `OrderCreated`, `OrderRejected` |
//! | POST /orders | place | `OrderCreated`, `OrderRejected` |
//! | POST /orders/{id}/cancel | request cancel | `OrderCancelRequested` |
//! | POST /users/{id}/erase | erase | `UserErased` |
//! | deadline passed | time out | `OrderTimedOut` |
//! | `BalanceRejected` | settle the money | `OrderCancelled` |
//! | `BalanceReleased` | settle the money | `OrderCancelled` |
//! | `BalanceRefunded` | settle the money | `OrderCancelled` |
//! | `ShipmentArranged` | fulfil | `OrderCompleted` |
//! | `EntitlementGranted` | fulfil | `OrderCompleted` |
//! | `ShipmentRejected` | give up fulfilment | `OrderCancelled` |
//! | `EntitlementRejected` | give up fulfilment | `OrderCancelled` |
//! | `ShipmentCancelled` | give up fulfilment | `OrderCancelled` |
//! | `EntitlementRevoked` | give up fulfilment | `OrderCancelled` |

pub mod api;

mod command;
mod deadline;
mod denials;
mod domain;
mod doors;
mod erasure;
mod fingerprint;
mod fulfilment;
mod history;
mod personal;
mod purchase;
mod quote;
mod requests;
mod status;
mod store;

use std::time::Duration;

use chrono::{DateTime, Utc};
use events::{
    Kind, OrderId, Publisher,
    account::{BalanceRefunded, BalanceRejected, BalanceReleased},
    entitlement::{EntitlementGranted, EntitlementRejected, EntitlementRevoked},
    erasure::UserErased,
    order::{OrderCancelRequested, OrderCancelled, OrderCompleted, OrderCreated, OrderRejected, OrderTimedOut},
    order_id::{self, Derivation},
    publisher,
    request::{ORDER_REQUESTED, OrderRequested},
    shipping::{ShipmentArranged, ShipmentCancelled, ShipmentRejected},
};
use personal_data::Vault;
use saga::{
    Says, Service, StoreError, Table, says,
    table::{deadline, joins},
};
use sqlx::{PgConnection, migrate::Migrator};

pub use command::{Command, Door, Former, Placement, Settlement, Turn};
pub use deadline::Overdue;
pub use denials::{Denied, Recording};
pub use domain::Register;
pub use doors::Doors;
pub use erasure::{OrdersOf, Users};
pub use fingerprint::Fingerprint;
pub use fulfilment::{Branch, Fulfilment};
pub use history::Entry;
pub use purchase::{Money, Purchase};
pub use quote::{Catalogue, Product};
pub use requests::Requests;
pub use status::Status;

/// The service's own tables.
pub static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// Rights of the database's roles on them.
pub const GRANTS: &str = include_str!("../grants.sql");

/// Commands without an event, as the table and the logs name them.
pub(crate) const POST_ORDERS: &str = "POST /orders";
pub const POST_CANCEL: &str = "POST /orders/{id}/cancel";
pub const POST_ERASE: &str = "POST /users/{id}/erase";
pub const DEADLINE_PASSED: &str = "deadline passed";

/// Manages the orders.
#[derive(Debug, Clone)]
pub struct Orders {
    /// Time allowed for the forward part of a saga.
    pub timeout: Duration,
    /// Derivation of the ids of orders that are requested without one.
    pub ids: Derivation,
    /// Judge of requests on the topic, where they need a token.
    pub requests: Option<Requests>,
    /// Keys that addresses are sealed under.
    pub vault: Vault,
}

impl Default for Orders {
    fn default() -> Self {
        let (ids, vault) = (Derivation::default(), Vault::default());
        Orders { timeout: Duration::from_secs(60), ids, requests: None, vault }
    }
}

impl Service for Orders {
    type Command = Command;
    type Rows = Register;

    const PUBLISHER: Publisher = publisher::ORDER;

    fn table() -> Table<Command> {
        Orders::described(Derivation::default())
    }

    fn table_in_use(&self) -> Table<Command> {
        let table = Orders::described(self.ids.clone());
        match self.requests.clone() {
            Some(requests) => table.guarded(publisher::CLIENT, requests::AUTHORIZATION, move |record, appended_ms| {
                requests.judge(record, appended_ms)
            }),
            None => table.with_secret(publisher::CLIENT, requests::AUTHORIZATION),
        }
    }

    fn saga_of(command: &Command) -> OrderId {
        command.order_id()
    }

    async fn load(&self, db: &mut PgConnection, commands: &[&Command]) -> Result<Register, StoreError> {
        store::load(db, commands, self).await
    }

    fn decide(&self, register: &mut Register, command: &Command, now: DateTime<Utc>) -> Says {
        domain::decide(self, register, command, now)
    }

    fn standing(&self, register: &Register, order: OrderId) -> Option<&'static str> {
        register.purchases.get(&order).map(|known| known.status.as_str())
    }

    async fn save(&self, db: &mut PgConnection, register: &Register) -> Result<(), StoreError> {
        store::save(db, register).await
    }
}

impl Orders {
    /// What the service consumes, decides and publishes.
    fn described(ids: Derivation) -> Table<Command> {
        use Kind::{Digital, Physical};
        use Turn::{Done, Refused, Undone};

        let placed = says![OrderCreated, refuses aborts OrderRejected];
        let cancelled = says![aborts OrderCancelled];
        let completed = says![pivot completes OrderCompleted];
        Table::of(publisher::ORDER)
            .owned(publisher::CLIENT, requests::owner)
            .on_data(ORDER_REQUESTED, publisher::CLIENT, "place", placed, move |request: OrderRequested, _, record| {
                let original = record.original();
                let former = request.named_order(&ids).is_none().then(|| Former {
                    order_id: order_id::formerly_from_coordinates(original.at),
                    requested_ms: original.timestamp_ms,
                });
                let order_id = request.order_id_of(original, &ids);
                Command::Place(Placement { order_id, request, door: Door::Topic, former })
            })
            .when(POST_ORDERS, "place", placed)
            .when(POST_CANCEL, "request cancel", says![OrderCancelRequested])
            .when(POST_ERASE, "erase", says![UserErased])
            .when(deadline(DEADLINE_PASSED), "time out", says![OrderTimedOut])
            .on(joins("settle the money"), cancelled, |e: BalanceRejected| {
                Command::Settle(e.order, Settlement::Rejected { reason: e.reason })
            })
            .on(joins("settle the money"), cancelled, |e: BalanceReleased| {
                Command::Settle(e.order, Settlement::Released { reason: e.reason })
            })
            .on(joins("settle the money"), cancelled, |e: BalanceRefunded| {
                Command::Settle(e.order, Settlement::Refunded { reason: e.reason, amount: e.amount })
            })
            .on(joins("fulfil"), completed, |e: ShipmentArranged| Command::Fulfil(e.order.order_id, Physical, Done))
            .on(joins("fulfil"), completed, |e: EntitlementGranted| Command::Fulfil(e.order.order_id, Digital, Done))
            .on(joins("give up fulfilment"), cancelled, |e: ShipmentRejected| {
                Command::Fulfil(e.order.order_id, Physical, Refused(e.reason))
            })
            .on(joins("give up fulfilment"), cancelled, |e: EntitlementRejected| {
                Command::Fulfil(e.order.order_id, Digital, Refused(e.reason))
            })
            .on(joins("give up fulfilment"), cancelled, |e: ShipmentCancelled| {
                Command::Fulfil(e.order.order_id, Physical, Undone(e.reason))
            })
            .on(joins("give up fulfilment"), cancelled, |e: EntitlementRevoked| {
                Command::Fulfil(e.order.order_id, Digital, Undone(e.reason))
            })
    }
}
