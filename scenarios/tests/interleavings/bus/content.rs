//! The content of an event besides its type: parsed once, for the laws about contents.

use events::{Order, ProductId, Reason, request::OrderRequested};
use saga::Said;
use serde::Deserialize;

/// The fields that any event may have.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Content {
    pub(crate) order: Option<Order>,
    pub(crate) reason: Option<Reason>,
    /// Of `OrderCancelled`.
    pub(crate) refunded: Option<i64>,
    /// Of `BalanceRefunded`.
    pub(crate) amount: Option<i64>,
    /// Of `StockRejected`.
    pub(crate) product_id: Option<ProductId>,
    /// Of `ShipmentArranged`.
    pub(crate) tracking_no: Option<String>,
    /// Of `NotificationSent`.
    pub(crate) kind: Option<String>,
    /// A client's request has no order yet.
    #[serde(skip)]
    pub(crate) request: Option<OrderRequested>,
}

impl Content {
    pub(super) fn of(said: &Said) -> Content {
        if said.event_type == events::request::ORDER_REQUESTED {
            return Content { request: serde_json::from_str(&said.payload).ok(), ..Content::default() };
        }
        serde_json::from_str(&said.payload).expect("an event is JSON")
    }
}
