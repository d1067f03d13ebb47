//! The letter that a buyer gets when an order has ended: plain text, built without I/O.
//!
//! The wording stays within ASCII and short lines, so that a mail is readable in its raw form too.

use std::{fmt, str::FromStr};

use events::{Currency, Item, Order, Reason};
use serde::{Deserialize, Serialize};

use crate::{amount::amount, wording::Wording};

/// How an order ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ending {
    Completed,
    Cancelled {
        reason: Reason,
        /// Amount returned to the buyer, in minor units of the order's currency; 0 if nothing had been taken.
        refunded: i64,
    },
    Rejected {
        reason: Reason,
    },
}

/// The kind of letter for an ending: the value in the `kind` column and in `NotificationSent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LetterKind {
    /// Bought for money.
    Receipt,
    /// Unlocked for points.
    Welcome,
    /// Begun and compensated.
    Cancellation,
    /// Rejected before it began.
    Rejection,
}

impl LetterKind {
    pub const ALL: [LetterKind; 4] =
        [LetterKind::Receipt, LetterKind::Welcome, LetterKind::Cancellation, LetterKind::Rejection];

    pub fn as_str(self) -> &'static str {
        match self {
            LetterKind::Receipt => "receipt",
            LetterKind::Welcome => "welcome",
            LetterKind::Cancellation => "cancellation",
            LetterKind::Rejection => "rejection",
        }
    }
}

impl fmt::Display for LetterKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for LetterKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        LetterKind::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| format!("`{text}` is no kind of letter"))
    }
}

/// A letter without its envelope.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Letter {
    pub kind: LetterKind,
    /// One line.
    pub subject: String,
    pub body: String,
}

/// Writes the letter for the end of an order.
pub fn write(order: &Order, ending: Ending) -> Letter {
    write_in(Wording::NOW, order, ending)
}

/// Writes the letter in this wording.
pub fn write_in(wording: &Wording, order: &Order, ending: Ending) -> Letter {
    let bill = bill(wording, order);
    let (kind, subject, paragraphs) = match ending {
        Ending::Completed if order.currency == Currency::PTS => {
            let opening = wording.welcome.to_owned();
            (LetterKind::Welcome, wording.welcome_subject, [opening, bill, destination(wording, order), String::new()])
        }
        Ending::Completed => {
            let opening = wording.thanks.to_owned();
            (LetterKind::Receipt, "Your receipt", [opening, bill, destination(wording, order), String::new()])
        }
        Ending::Cancelled { reason, refunded } => {
            let opening = format!("{}\n{} ({reason}).", wording.cancelled, (wording.reason)(reason));
            let given_back = match refunded {
                0 => wording.not_charged.to_owned(),
                refunded => (wording.returned)(&amount(refunded, order.currency)),
            };
            let paragraphs = [opening, given_back, wording.cancelled_items.to_owned(), bill];
            (LetterKind::Cancellation, "Your order was cancelled", paragraphs)
        }
        Ending::Rejected { reason } => {
            let opening = format!("{}\n{} ({reason}).", wording.rejected, (wording.reason)(reason));
            let paragraphs = [opening, wording.not_charged.to_owned(), wording.rejected_items.to_owned(), bill];
            (LetterKind::Rejection, "Your order was not accepted", paragraphs)
        }
    };
    let paragraphs: Vec<String> = paragraphs.into_iter().filter(|paragraph| !paragraph.is_empty()).collect();
    let body = format!("Hello,\n\n{}\n\nYour order number is {}.\n", paragraphs.join("\n\n"), order.order_id);
    Letter { kind, subject: subject.to_owned(), body }
}

/// Maximum number of items listed in a letter.
const LINES: usize = 20;

/// The items, one per line, and the total.
fn bill(wording: &Wording, order: &Order) -> String {
    if order.items.is_empty() {
        return wording.no_items.to_owned();
    }
    let mut lines: Vec<String> = order.items.iter().take(LINES).map(|item| bill_line(item, order.currency)).collect();
    if let Some(more) = order.items.len().checked_sub(LINES).filter(|more| *more > 0) {
        lines.push((wording.more)(more));
    }
    if order.currency != Currency::NONE {
        lines.push(format!("\nTotal: {}", amount(order.total, order.currency)));
    }
    lines.join("\n")
}

fn bill_line(item: &Item, currency: Currency) -> String {
    let Item { product_id, quantity, unit_price, kind: _ } = item;
    // An order without a currency has no price either: it was refused before it was priced.
    match currency {
        Currency::NONE => format!("    {quantity} x product {product_id}"),
        _ => format!("    {quantity} x product {product_id} at {}", amount(*unit_price, currency)),
    }
}

fn destination(wording: &Wording, order: &Order) -> String {
    let Some(ship_to) = &order.ship_to else { return String::new() };
    let lines: Vec<String> = ship_to.lines().map(|line| format!("    {line}")).collect();
    format!("{}\n\n{}", wording.destination, lines.join("\n"))
}
