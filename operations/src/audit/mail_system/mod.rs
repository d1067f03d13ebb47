//! The mail system: what became of the mails that were sent.

mod directory;
mod mailpit;

use std::path::PathBuf;

use events::OrderId;

use super::{
    delivered::{Delivered, MailRetention},
    reading::NOBODYS,
    seal::Before,
};
use crate::Environment;

/// The order of each mail, and a digest that changes whenever the mail does.
pub(super) type Stamps = Vec<(OrderId, u64)>;

/// The location of the mails.
#[derive(Debug, Clone)]
enum Place {
    Directory(PathBuf),
    /// A server with Mailpit's API, by its URL.
    Mailpit(String),
}

/// The mails present at one moment.
#[derive(Debug)]
pub(super) struct MailSystem {
    place: Place,
    messages: Vec<mailpit::Message>,
    stamps: Stamps,
}

impl MailSystem {
    /// The mail system as it is now; None if its location is not configured.
    ///
    /// # Errors
    /// If it cannot be read.
    pub(super) async fn look(environment: &Environment, before: &Before) -> anyhow::Result<Option<Self>> {
        let mail_dir = environment.mail_dir().filter(|directory| directory.is_dir());
        if let Some(directory) = mail_dir.map(std::path::Path::to_owned) {
            let place = Place::Directory(directory.clone());
            let stamps = match before {
                // Nothing compares them.
                Before::Forgotten => Stamps::new(),
                _ => tokio::task::spawn_blocking(move || directory::list(&directory)).await??,
            };
            return Ok(Some(MailSystem { place, messages: Vec::new(), stamps }));
        }
        let Some(api) = environment.mail_api() else { return Ok(None) };
        let messages = mailpit::list(api).await?;
        let stamps = mailpit::stamps(&messages);
        Ok(Some(MailSystem { place: Place::Mailpit(api.to_owned()), messages, stamps }))
    }

    pub(super) fn stamps(&self) -> &Stamps {
        &self.stamps
    }

    /// What it retains. A server deletes the oldest mails when it has too many, and loses all on a restart without a disk.
    pub(super) fn retention(&self) -> MailRetention {
        let oldest = || self.messages.iter().map(mailpit::Message::created).min().unwrap_or_else(chrono::Utc::now);
        match self.place {
            Place::Directory(_) => MailRetention { since: None },
            Place::Mailpit(_) => MailRetention { since: Some(oldest()) },
        }
    }

    /// Reads the mails that belong to the wanted orders.
    ///
    /// # Errors
    /// If they cannot be read, or `put` fails.
    pub(super) async fn read(
        &self,
        is_wanted: impl Fn(OrderId) -> bool + Send + 'static,
        put: impl FnMut(OrderId, Delivered) -> anyhow::Result<()> + Send + 'static,
    ) -> anyhow::Result<()> {
        match self.place.clone() {
            Place::Directory(directory) => {
                tokio::task::spawn_blocking(move || directory::read(&directory, is_wanted, put)).await?
            }
            Place::Mailpit(api) => mailpit::read(&api, self.messages.clone(), is_wanted, put).await,
        }
    }
}

/// The order that a mail's name gives, or the nil order.
fn order_of(name: &str) -> OrderId {
    name.get(..36).and_then(|order| order.parse().ok()).unwrap_or(NOBODYS)
}
