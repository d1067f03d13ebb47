//! Delivered mails, in the mail system or the directory that stands in for it: each once, to the buyer, as it was written.

use chrono::{DateTime, Utc};
use events::Order;
use lettre::{Address, message::Mailbox};
use notification::Mail;
use personal_data::PersonKeys;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Buyers, Finding,
    dossier::Dossier,
    erased::{self, ERASED},
    tables::Table,
};

/// A mail as it was delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivered {
    /// Name of its file without the extension, or the part of its Message-ID before the @: `<order id>-<kind>`.
    pub name: String,
    pub text: String,
}

/// What a mail system retains.
#[derive(Debug, Clone, Copy, Default)]
pub struct MailRetention {
    /// Mails sent before this time may have been deleted.
    pub since: Option<DateTime<Utc>>,
}

/// What is wrong with an order's mails.
pub(super) fn findings(
    dossier: &Dossier,
    facts: Option<&Order>,
    buyers: &Buyers,
    retention: MailRetention,
) -> Vec<Finding> {
    let mut found = Vec::new();
    let row: Option<Value> =
        dossier.rows_of(Table::Notifications).next().and_then(|row| serde_json::from_str(row.get()).ok());
    // The letter is gone, with its mail. What is left of it where it should not be, a search finds.
    if erased::is_erased(facts, buyers) && row.as_ref().is_some_and(|row| row["recipient"] == ERASED) {
        return Vec::new();
    }
    let sent: Option<DateTime<Utc>> = row.as_ref().and_then(|row| serde_json::from_value(row["sent_at"].clone()).ok());
    let wanted = row.as_ref().zip(facts).and_then(|(row, facts)| mail(row, facts, &buyers.keys));
    let is_it = |mail: &Delivered| wanted.as_ref().is_some_and(|wanted| mail.name == wanted.name());
    let is_kept = |sent| retention.since.is_none_or(|since| sent > since);
    if sent.is_some_and(is_kept) && !dossier.mails.iter().any(is_it) {
        found.push("has a mail that was sent, but the mail system does not have it".to_owned());
    }
    for mail in &dossier.mails {
        match &wanted {
            Some(wanted) if mail.name == wanted.name() => {
                let text = wanted_text(wanted, &buyers.domain);
                if text.is_none_or(|text| as_written(&text) != as_written(&mail.text)) {
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

/// The mail that a row describes.
fn mail(row: &Value, facts: &Order, keys: &PersonKeys) -> Option<Mail> {
    let text = |name: &str| Some(row.get(name)?.as_str()?.to_owned());
    let mail = Mail {
        order: facts.clone(),
        kind: text("kind")?.parse().ok()?,
        recipient: text("recipient")?,
        subject: text("subject")?,
        body: text("body")?,
        // Irrelevant, see `without_date`.
        written_at: DateTime::UNIX_EPOCH,
    };
    mail.opened(keys).ok()
}

fn wanted_text(mail: &Mail, domain: &str) -> Option<String> {
    let sender = Mailbox::new(None, Address::new("orders", domain).ok()?);
    Some(String::from_utf8_lossy(&mail.message(&sender).ok()?.formatted()).into_owned())
}

/// Fields that mail servers prepend to a mail (RFC 5321, section 4.4), and those that they deliver it by.
const TRACES: [&str; 3] = ["return-path", "received", "delivered-to"];

/// A mail without its trace fields and its date: only the mail itself records when it was written.
fn as_written(mail: &str) -> Vec<&str> {
    let mut lines = mail.lines().peekable();
    let mut left = Vec::new();
    while let Some(line) = lines.next_if(|line| !line.is_empty()) {
        let name = line.split_once(':').map_or("", |(name, _)| name).to_ascii_lowercase();
        let is_left_out = name == "date" || TRACES.contains(&name.as_str());
        left.extend((!is_left_out).then_some(line));
        // A folded field continues on the following lines.
        while let Some(more) = lines.next_if(|line| line.starts_with([' ', '\t'])) {
            left.extend((!is_left_out).then_some(more));
        }
    }
    left.extend(lines);
    left
}

#[cfg(test)]
mod tests {
    use super::as_written;

    #[test]
    fn the_traces_of_its_way_are_no_part_of_a_mail() {
        let written = "From: a\r\nDate: 1\r\nSubject: b\r\n c\r\n\r\nReceived: with thanks\r\nDate: today\r\n";
        let came =
            format!("Return-Path: <a>\r\nReceived: from a\r\n\tby b; 2\r\n{}", written.replace("Date: 1", "Date: 2"));
        assert_eq!(as_written(written), as_written(&came));
        for other in
            [came.replace("Subject: b", "Subject: x"), came.replace("today", "tomorrow"), came.replace(" c", "")]
        {
            assert_ne!(as_written(written), as_written(&other), "{other}");
        }
    }
}
