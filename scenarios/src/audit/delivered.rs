//! The mails that lie where the mail system, or what stands in for it, has put them: each once, to the buyer, as it was written.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    os::unix::fs::MetadataExt,
    path::Path,
};

use anyhow::Context;
use chrono::DateTime;
use events::{Order, OrderId};
use lettre::{Address, message::Mailbox};
use notification::Mail;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::{Finding, dossier::Dossier, tables::Table};

/// A mail as it was delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivered {
    /// Of its file, without the ending: `<order id>-<kind>`.
    pub name: String,
    pub text: String,
}

/// The files of a directory's mails as they are now, by what changes with each of them.
///
/// # Errors
/// If the directory cannot be read.
pub(super) fn list(directory: &Path) -> anyhow::Result<Vec<(OrderId, u64)>> {
    let mut files = Vec::new();
    each(directory, |path, name, order| {
        // Taken away since: it is missed where it is read.
        let Ok(file) = std::fs::metadata(path) else { return Ok(()) };
        let mut hasher = DefaultHasher::new();
        // The time of the last change of a file's data or name (`ctime`), which nobody can set.
        (name, file.ino(), file.len(), file.ctime(), file.ctime_nsec()).hash(&mut hasher);
        files.push((order, hasher.finish()));
        Ok(())
    })?;
    Ok(files)
}

/// Reads the mails of a directory that are about the orders that are wanted.
///
/// # Errors
/// If the directory cannot be read, or `put` fails.
pub(super) fn read(
    directory: &Path,
    is_wanted: impl Fn(OrderId) -> bool,
    mut put: impl FnMut(OrderId, Delivered) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    each(directory, |path, name, order| {
        if !is_wanted(order) {
            return Ok(());
        }
        let text = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        put(order, Delivered { name, text: String::from_utf8_lossy(&text).into_owned() })
    })
}

/// Shows each mail's file to `look`, with its name and the order that the name tells, or the order that nobody has.
fn each(directory: &Path, mut look: impl FnMut(&Path, String, OrderId) -> anyhow::Result<()>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(directory).with_context(|| format!("reading {}", directory.display()))? {
        let path = entry?.path();
        // Drafts are no mails yet.
        if path.extension().is_none_or(|ending| ending != "eml") {
            continue;
        }
        let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let order = name.get(..36).and_then(|order| order.parse().ok()).unwrap_or(OrderId(Uuid::nil()));
        look(&path, name, order)?;
    }
    Ok(())
}

/// What is wrong with an order's mails.
pub(super) fn findings(dossier: &Dossier, facts: Option<&Order>, domain: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    let row: Option<Value> =
        dossier.rows_of(Table::Notifications).next().and_then(|row| serde_json::from_str(row.get()).ok());
    let sent = row.as_ref().is_some_and(|row| !row["sent_at"].is_null());
    let wanted = row.as_ref().zip(facts).and_then(|(row, facts)| mail(row, facts));
    let is_it = |mail: &Delivered| wanted.as_ref().is_some_and(|wanted| mail.name == wanted.name());
    if sent && !dossier.mails.iter().any(is_it) {
        found.push("has a mail that was sent, but the mail system does not have it".to_owned());
    }
    for mail in &dossier.mails {
        match &wanted {
            Some(wanted) if mail.name == wanted.name() => {
                let text = wanted_text(wanted, domain);
                if text.is_none_or(|text| without_date(&text) != without_date(&mail.text)) {
                    found.push(format!("has another mail than was written: {}", mail.name));
                }
            }
            Some(_) | None => found.push(format!("has a mail that nobody has written: {}", mail.name)),
        }
    }
    let names: Vec<&str> = dossier.mails.iter().map(|mail| mail.name.as_str()).collect();
    if names.iter().enumerate().any(|(place, name)| names[..place].contains(name)) {
        found.push("has the same mail twice".to_owned());
    }
    found.into_iter().map(|what| Finding::of(dossier.order, what)).collect()
}

/// The mail that a row tells of.
fn mail(row: &Value, facts: &Order) -> Option<Mail> {
    let text = |name: &str| Some(row.get(name)?.as_str()?.to_owned());
    Some(Mail {
        order: facts.clone(),
        kind: text("kind")?.parse().ok()?,
        recipient: text("recipient")?,
        subject: text("subject")?,
        body: text("body")?,
        // Of no account, see `without_date`.
        written_at: DateTime::UNIX_EPOCH,
    })
}

fn wanted_text(mail: &Mail, domain: &str) -> Option<String> {
    let sender = Mailbox::new(None, Address::new("orders", domain).ok()?);
    Some(String::from_utf8_lossy(&mail.message(&sender).ok()?.formatted()).into_owned())
}

/// When a mail was written is written down in it alone.
fn without_date(mail: &str) -> Vec<&str> {
    mail.lines().filter(|line| !line.starts_with("Date: ")).collect()
}
