//! What the buyer reads when the order has come to its end: plain text, and plain Rust.
//!
//! Our own words stay within ASCII and short lines, so that a mail is readable in its raw form too.

use std::{fmt, str::FromStr};

use events::{Currency, Item, Order, Reason};
use serde::{Deserialize, Serialize};

use crate::amount::amount;

/// How an order ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ending {
    Completed,
    Cancelled {
        reason: Reason,
        /// What went back to the buyer, in minor units of the order's currency; 0 where nothing had been taken.
        refunded: i64,
    },
    Rejected {
        reason: Reason,
    },
}

/// What kind of letter an ending deserves. The word in the `kind` column and in `NotificationSent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LetterKind {
    /// Bought for money.
    Receipt,
    /// Unlocked for points.
    Welcome,
    /// Begun and undone.
    Cancellation,
    /// Not even begun.
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

/// Writes the letter that an order gets at its end.
pub fn write(order: &Order, ending: Ending) -> Letter {
    match ending {
        Ending::Completed if order.currency == Currency::PTS => welcome(order),
        Ending::Completed => receipt(order),
        Ending::Cancelled { reason, refunded } => cancellation(order, reason, refunded),
        Ending::Rejected { reason } => rejection(order, reason),
    }
}

fn receipt(order: &Order) -> Letter {
    let opening = "thank you for your purchase. It is complete, and paid.";
    Letter {
        kind: LetterKind::Receipt,
        subject: "Your receipt".to_owned(),
        body: body(order, &[opening, &bill(order), &destination(order)]),
    }
}

fn welcome(order: &Order) -> Letter {
    let opening = "welcome! What you chose for your points is yours from now on.";
    Letter {
        kind: LetterKind::Welcome,
        subject: "Welcome: it is yours".to_owned(),
        body: body(order, &[opening, &bill(order), &destination(order)]),
    }
}

fn cancellation(order: &Order, reason: Reason, refunded: i64) -> Letter {
    let opening = format!("your order was cancelled:\n{} ({reason}).", in_words(reason));
    let given_back = match refunded {
        0 => "There is nothing to give back: nothing had been taken.".to_owned(),
        refunded => format!("{} are back on your balance.", amount(refunded, order.currency)),
    };
    Letter {
        kind: LetterKind::Cancellation,
        subject: "Your order was cancelled".to_owned(),
        body: body(order, &[&opening, &given_back, "This is what you had ordered:", &bill(order)]),
    }
}

fn rejection(order: &Order, reason: Reason) -> Letter {
    let opening = format!("we are sorry, we could not accept your order:\n{} ({reason}).", in_words(reason));
    let given_back = "There is nothing to give back: nothing had been taken.";
    Letter {
        kind: LetterKind::Rejection,
        subject: "Your order was not accepted".to_owned(),
        body: body(order, &[&opening, given_back, "This is what you asked for:", &bill(order)]),
    }
}

fn body(order: &Order, paragraphs: &[&str]) -> String {
    let paragraphs: Vec<&str> = paragraphs.iter().copied().filter(|paragraph| !paragraph.is_empty()).collect();
    format!("Hello,\n\n{}\n\nYour order number is {}.\n", paragraphs.join("\n\n"), order.order_id)
}

/// As many lines as anyone reads.
const LINES: usize = 20;

/// What was ordered, piece by piece, and what it costs.
fn bill(order: &Order) -> String {
    if order.items.is_empty() {
        return "    nothing at all".to_owned();
    }
    let mut lines: Vec<String> = order.items.iter().take(LINES).map(|item| bill_line(item, order.currency)).collect();
    if let Some(more) = order.items.len().checked_sub(LINES).filter(|more| *more > 0) {
        lines.push(format!("    and {more} products more"));
    }
    if order.currency != Currency::NONE {
        lines.push(format!("\nTotal: {}", amount(order.total, order.currency)));
    }
    lines.join("\n")
}

fn bill_line(item: &Item, currency: Currency) -> String {
    let Item { product_id, quantity, unit_price, kind: _ } = item;
    // Without a currency there is no price either: the order was refused before it had one.
    match currency {
        Currency::NONE => format!("    {quantity} x product {product_id}"),
        _ => format!("    {quantity} x product {product_id} at {}", amount(*unit_price, currency)),
    }
}

fn destination(order: &Order) -> String {
    let Some(ship_to) = &order.ship_to else { return String::new() };
    let lines: Vec<String> = ship_to.lines().map(|line| format!("    {line}")).collect();
    format!("What has to travel is on its way to\n\n{}", lines.join("\n"))
}

/// The reason as the buyer is told it.
fn in_words(reason: Reason) -> &'static str {
    match reason {
        Reason::InsufficientBalance => "your balance does not cover the total",
        Reason::UnknownUser => "we have no account for you",
        Reason::InvalidPaymentMethod => "the payment method cannot be used for this order",
        Reason::CardDeclined => "the card was declined",
        Reason::GatewayUnavailable => "the payment provider could not be reached",
        Reason::OutOfStock => "we do not have enough in stock",
        Reason::UnknownProduct => "we do not know one of the products",
        Reason::UnshippableAddress => "we cannot deliver to the address",
        Reason::Discontinued => "one of the items is no longer available",
        Reason::InvalidRequest => "it asked for something that cannot be ordered like that",
        Reason::CancelledByUser => "you asked us to",
        Reason::TimedOut => "it could not be completed in time",
        // Said by a newer version of some service; the word itself follows in brackets.
        Reason::Other(_) => "it could not be completed",
    }
}
