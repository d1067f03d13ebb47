//! What anyone may publish on `order.requests`, with nothing but a console producer.

use saga::ids::Original;
use serde::{Deserialize, Serialize};

use crate::{OrderId, PaymentMethodId, ProductId, UserId, order_id};

/// The wire name of a request.
pub const ORDER_REQUESTED: &str = "OrderRequested";

/// A wish to buy. Read leniently: numbers that make no sense are refused later, by the order service, with a reason.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct OrderRequested {
    pub user_id: UserId,
    pub payment_method_id: PaymentMethodId,
    pub items: Vec<RequestedItem>,
    /// Chosen by the client; publishing the same id again changes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<OrderId>,
    /// Names the order together with `user_id`, where the client has no UUID to give.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// Needed where goods travel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ship_to: Option<String>,
}

/// One line of the wish.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RequestedItem {
    pub product_id: ProductId,
    pub quantity: i64,
}

impl OrderRequested {
    /// Which order this request means: the id that it names, else the one of its idempotency key. An empty key is none.
    pub fn named_order(&self) -> Option<OrderId> {
        let key = self.idempotency_key.as_deref().filter(|key| !key.is_empty());
        self.order_id.or_else(|| key.map(|key| order_id::from_idempotency_key(self.user_id, key)))
    }

    /// Which order this request means when it was read from Kafka: without a name of its own, the record is its name.
    pub fn order_id_of(&self, original: Original<'_>) -> OrderId {
        self.named_order().unwrap_or_else(|| order_id::from_record(original))
    }

    /// The order that earlier versions took its idempotency key for, where it has one that says which order is meant.
    pub fn former_order(&self) -> Option<OrderId> {
        let key = self.idempotency_key.as_deref().filter(|key| !key.is_empty() && self.order_id.is_none());
        key.map(|key| order_id::formerly_from_idempotency_key(self.user_id, key))
    }

    /// Tells whether it names an order by an id that another request is going to get, without having a claim to it.
    pub fn names_anothers_order(&self) -> bool {
        let own = self.idempotency_key.as_deref().map(|key| order_id::from_idempotency_key(self.user_id, key));
        self.order_id.is_some_and(|order| order_id::is_derived(order) && own != Some(order))
    }
}
