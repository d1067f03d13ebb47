//! The letter that a buyer gets when an order has ended: plain text, made by plain Rust.
//!
//! The wording stays within ASCII and short lines, so that a mail is readable in its raw form too.

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

/// The kind of letter for an ending. The word in the `kind` column and in `NotificationSent`.
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

/// Writes the letter for the end of an order.
pub fn write(order: &Order, ending: Ending) -> Letter {
    match ending {
        Ending::Completed if order.currency == Currency::PTS => welcome(order),
        Ending::Completed => receipt(order),
        Ending::Cancelled { reason, refunded } => cancellation(order, reason, refunded),
        Ending::Rejected { reason } => rejection(order, reason),
    }
}

fn receipt(order: &Order) -> Letter {
    let opening = "Thank you for your purchase. Your order is complete and paid for.";
    Letter {
        kind: LetterKind::Receipt,
        subject: "Your receipt".to_owned(),
        body: body(order, &[opening, &bill(order), &destination(order)]),
    }
}

fn welcome(order: &Order) -> Letter {
    let opening = "Welcome! What you bought with your points is now yours.";
    Letter {
        kind: LetterKind::Welcome,
        subject: "Welcome! Your order is complete".to_owned(),
        body: body(order, &[opening, &bill(order), &destination(order)]),
    }
}

fn cancellation(order: &Order, reason: Reason, refunded: i64) -> Letter {
    let opening = format!("We have cancelled your order because\n{} ({reason}).", in_words(reason));
    let given_back = match refunded {
        0 => "You have not been charged.".to_owned(),
        refunded => format!("We have returned {} to your balance.", amount(refunded, order.currency)),
    };
    Letter {
        kind: LetterKind::Cancellation,
        subject: "Your order was cancelled".to_owned(),
        body: body(order, &[&opening, &given_back, "You ordered:", &bill(order)]),
    }
}

fn rejection(order: &Order, reason: Reason) -> Letter {
    let opening = format!("We are sorry, but we could not accept your order because\n{} ({reason}).", in_words(reason));
    let given_back = "You have not been charged.";
    Letter {
        kind: LetterKind::Rejection,
        subject: "Your order was not accepted".to_owned(),
        body: body(order, &[&opening, given_back, "You ordered:", &bill(order)]),
    }
}

fn body(order: &Order, paragraphs: &[&str]) -> String {
    let paragraphs: Vec<&str> = paragraphs.iter().copied().filter(|paragraph| !paragraph.is_empty()).collect();
    format!("Hello,\n\n{}\n\nYour order number is {}.\n", paragraphs.join("\n\n"), order.order_id)
}

/// Most items that a letter lists.
const LINES: usize = 20;

/// The items, one per line, and the total.
fn bill(order: &Order) -> String {
    if order.items.is_empty() {
        return "    no items".to_owned();
    }
    let mut lines: Vec<String> = order.items.iter().take(LINES).map(|item| bill_line(item, order.currency)).collect();
    if let Some(more) = order.items.len().checked_sub(LINES).filter(|more| *more > 0) {
        lines.push(format!("    and {more} more"));
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
    format!("Your parcel is on its way to:\n\n{}", lines.join("\n"))
}

/// The reason in the buyer's words; completes "because …".
fn in_words(reason: Reason) -> &'static str {
    match reason {
        Reason::InsufficientBalance => "your balance does not cover the total",
        Reason::UnknownUser => "we could not find your account",
        Reason::InvalidPaymentMethod => "the payment method cannot be used for this order",
        Reason::CardDeclined => "your card was declined",
        Reason::GatewayUnavailable => "the payment provider could not be reached",
        Reason::OutOfStock => "we do not have enough in stock",
        Reason::UnknownProduct => "one of the products does not exist",
        Reason::UnshippableAddress => "we cannot deliver to your address",
        Reason::Discontinued => "one of the items is no longer available",
        Reason::InvalidRequest => "the request was not valid",
        Reason::CancelledByUser => "you asked us to",
        Reason::TimedOut => "it could not be completed in time",
        // From a newer version of some service; the word itself follows in brackets.
        Reason::Other(_) => "it could not be completed",
    }
}
