//! Where texts about a person belong: what sealed ones are bound to. Nothing that was sealed opens under another name, so these
//! never change.

use crate::OrderId;

/// The address that an order's parcel goes to: `ship_to` in its facts, in every event and in `shipments`.
pub fn ship_to(order: OrderId) -> String {
    format!("order/{order}/ship_to")
}

/// A part of an order's letter: `recipient`, `subject` or `body`.
pub fn letter(order: OrderId, part: &str) -> String {
    format!("letter/{order}/{part}")
}
