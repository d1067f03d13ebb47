//! The notification service: tells the buyer by mail how the order ended, once.
//!
//! | on | decision | says |
//! |---|---|---|
//! | `OrderCompleted` | write the letter | `NotificationSent` |
//! | `OrderCancelled` | write the letter | `NotificationSent` |
//! | `OrderRejected` | write the letter | `NotificationSent` |
//! | `UserErased` | scrub | nothing |
//! | the answer to mail | note sent | `NotificationSent` |

mod amount;
mod domain;
mod mail;
mod store;
mod wording;

pub mod letter;
pub mod post;

use chrono::{DateTime, Utc};
use events::{
    OrderId, Publisher,
    erasure::UserErased,
    notification::NotificationSent,
    order::{OrderCancelled, OrderCompleted, OrderRejected},
    publisher,
};
use personal_data::Vault;
use saga::{
    Says, Service, StoreError, Table, says,
    table::{answer, asks},
};
use sqlx::{PgConnection, migrate::Migrator};

pub use domain::{Command, Correspondence, Notice};
pub use letter::{Ending, LetterKind};
pub use mail::Mail;
pub use wording::Wording;

/// Kind of the call that hands a letter to the mail system.
const MAIL: &str = "mail";

/// The service's own tables.
pub static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// Rights of the database's roles on them.
pub const GRANTS: &str = include_str!("../grants.sql");

/// Default domain of the sender, and of the buyers who have given no address.
pub const MAIL_DOMAIN: &str = "example.test";

/// Sends letters to the buyers.
#[derive(Debug, Clone)]
pub struct Notification {
    mail_domain: String,
    wording: &'static Wording,
    vault: Vault,
}

impl Notification {
    /// `mail_domain`: domain of buyers without an address of their own, who get mail at `user-<id>`.
    pub fn new(mail_domain: impl Into<String>) -> Self {
        Notification { mail_domain: mail_domain.into(), wording: Wording::NOW, vault: Vault::default() }
    }

    /// The same service with letters that are sealed under their buyers' keys.
    pub fn sealing(self, vault: Vault) -> Self {
        Notification { vault, ..self }
    }

    /// The same service with another wording.
    pub fn worded(self, wording: &'static Wording) -> Self {
        Notification { wording, ..self }
    }
}

impl Default for Notification {
    fn default() -> Self {
        Notification::new(MAIL_DOMAIN)
    }
}

impl Service for Notification {
    type Command = Command;
    type Rows = Correspondence;

    const PUBLISHER: Publisher = publisher::NOTIFICATION;

    fn table() -> Table<Command> {
        Table::of(Self::PUBLISHER)
            .on(asks("write the letter", &[MAIL]), says![informs NotificationSent], |e: OrderCompleted| {
                Command::tell(e.order, Ending::Completed)
            })
            .on(asks("write the letter", &[MAIL]), says![informs NotificationSent], |e: OrderCancelled| {
                Command::tell(e.order, Ending::Cancelled { reason: e.reason, refunded: e.refunded })
            })
            .on(asks("write the letter", &[MAIL]), says![informs NotificationSent], |e: OrderRejected| {
                Command::tell(e.order, Ending::Rejected { reason: e.reason })
            })
            .on("scrub", says![], |event: UserErased| Command::Scrub(event))
            .when(answer(MAIL), "note sent", says![informs NotificationSent])
    }

    fn saga_of(command: &Command) -> OrderId {
        command.order_id()
    }

    async fn load(&self, db: &mut PgConnection, commands: &[&Command]) -> Result<Correspondence, StoreError> {
        store::load(db, commands, &self.vault).await
    }

    fn decide(&self, rows: &mut Correspondence, command: &Command, now: DateTime<Utc>) -> Says {
        domain::decide(self, rows, command, now)
    }

    fn standing(&self, rows: &Correspondence, order: OrderId) -> Option<&'static str> {
        rows.notices.get(&order).map(|notice| notice.kind.as_str())
    }

    async fn save(&self, db: &mut PgConnection, rows: &Correspondence) -> Result<(), StoreError> {
        store::save(db, rows).await
    }
}
