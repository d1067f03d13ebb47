//! Decisions about letters, without I/O.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use events::{
    Order, OrderId, UserId,
    erasure::{Scrubs, UserErased},
    notification::NotificationSent,
};
use personal_data::PersonKeys;
use saga::{NewAttempt, Rows, Says};
use serde_json::json;

use crate::{
    MAIL, Notification,
    letter::{self, Ending, Letter, LetterKind},
    mail::Mail,
};

/// A command about one order, or about a user.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Command {
    /// The order has ended: tell the buyer.
    Tell { order: Order, ending: Ending },
    /// The mail system accepted the mail.
    NoteSent { order: Order },
    /// The mail was abandoned.
    GiveUp { order_id: OrderId },
    /// The user's personal data has to go.
    Scrub(UserErased),
}

impl Command {
    pub fn tell(order: Order, ending: Ending) -> Self {
        Command::Tell { order, ending }
    }

    pub fn order_id(&self) -> OrderId {
        match self {
            Command::Tell { order, .. } | Command::NoteSent { order } => order.order_id,
            Command::GiveUp { order_id } => *order_id,
            Command::Scrub(event) => event.erasure.erasure_id,
        }
    }
}

/// One order's letter and its recipient, each sealed where letters are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Notice {
    pub kind: LetterKind,
    pub recipient: String,
    pub subject: String,
    pub body: String,
    /// Time at which the mail system accepted it.
    pub sent_at: Option<DateTime<Utc>>,
}

/// The rows that a batch works on.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Correspondence {
    /// Addresses of the buyers who have given one.
    pub contacts: BTreeMap<UserId, String>,
    pub notices: Rows<OrderId, Notice>,
    /// Keys of the buyers who are to get letters.
    pub keys: PersonKeys,
    /// Users whose data this batch removes.
    pub scrubs: Scrubs,
}

pub(crate) fn decide(service: &Notification, rows: &mut Correspondence, command: &Command, now: DateTime<Utc>) -> Says {
    let known = rows.notices.get(&command.order_id()).map(|notice| (notice.kind, notice.sent_at));
    match (command, known) {
        (Command::Tell { order, ending }, None) => tell(service, rows, order, *ending, now),
        (Command::Tell { .. }, Some(_)) => Says::ignored("the order has its letter already"),

        (Command::NoteSent { order }, Some((kind, None))) => {
            if let Some(notice) = rows.notices.get_mut(&order.order_id) {
                notice.sent_at = Some(now);
            }
            Says::event(NotificationSent { order: order.clone(), kind: kind.to_string() })
        }
        (Command::NoteSent { .. }, Some((_, Some(_)))) => Says::ignored("already noted"),
        (Command::NoteSent { .. }, None) => Says::ignored("no such letter was written"),

        (Command::Scrub(event), None | Some(_)) => {
            rows.scrubs.add(event);
            Says::silence()
        }

        (Command::GiveUp { .. }, None | Some(_)) => Says::ignored("no mail is given up: it waits for a person"),
    }
}

/// The buyer has been erased: the letter is as those are that were erased with him, and is not sent.
fn to_nobody(rows: &mut Correspondence, order: &Order, kind: LetterKind, now: DateTime<Utc>) -> Says {
    let erased = || "erased".to_owned();
    let notice = Notice { kind, recipient: erased(), subject: erased(), body: erased(), sent_at: Some(now) };
    rows.notices.put(order.order_id, notice);
    Says::event(NotificationSent { order: order.clone(), kind: kind.to_string() })
}

fn tell(service: &Notification, rows: &mut Correspondence, order: &Order, ending: Ending, now: DateTime<Utc>) -> Says {
    let Letter { kind, subject, body } = letter::write_in(service.wording, order, ending);
    let recipient = match rows.contacts.get(&order.user_id) {
        Some(address) => address.clone(),
        None => format!("user-{}@{}", order.user_id, service.mail_domain),
    };
    let mail = Mail { order: order.clone(), kind, recipient, subject, body, written_at: now };
    let Ok(mail) = mail.sealed(&rows.keys) else {
        return to_nobody(rows, order, kind, now);
    };
    let attempt = NewAttempt::new(MAIL, order.order_id, json!(mail));
    let Mail { recipient, subject, body, .. } = mail;
    rows.notices.put(order.order_id, Notice { kind, recipient, subject, body, sent_at: None });
    Says::attempt(attempt)
}
