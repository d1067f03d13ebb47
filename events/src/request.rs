//! The request that anyone may publish on `order.requests`, even with just a console producer.

use saga::ids::Original;
use serde::{Deserialize, Serialize};

use crate::{
    OrderId, PaymentMethodId, ProductId, UserId,
    order_id::{self, Derivation},
};

/// Wire name of a request.
pub const ORDER_REQUESTED: &str = "OrderRequested";

/// A request to buy. Parsed leniently: the order service refuses senseless numbers later, with a reason.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(saga::schema::JsonSchema), schemars(crate = "saga::schema::schemars"))]
pub struct OrderRequested {
    pub user_id: UserId,
    pub payment_method_id: PaymentMethodId,
    pub items: Vec<RequestedItem>,
    /// Chosen by the client; idempotent: repeating the same id changes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<OrderId>,
    /// Identifies the order together with `user_id`, for a client without a UUID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// Required for physical goods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ship_to: Option<String>,
}

/// One line of the request.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(saga::schema::JsonSchema), schemars(crate = "saga::schema::schemars"))]
pub struct RequestedItem {
    pub product_id: ProductId,
    pub quantity: i64,
}

impl OrderRequested {
    /// Order that this request names: its id, else the id derived from its idempotency key. An empty key counts as none.
    pub fn named_order(&self, ids: &Derivation) -> Option<OrderId> {
        self.order_id.or_else(|| self.key().map(|key| ids.from_idempotency_key(self.user_id, key)))
    }

    /// Order of this request when read from Kafka. If it names none, the id is derived from the record.
    pub fn order_id_of(&self, original: Original<'_>, ids: &Derivation) -> OrderId {
        self.named_order(ids).unwrap_or_else(|| ids.from_record(original))
    }

    /// Orders that may have been derived from its idempotency key before, if it has one that counts.
    pub fn former_orders(&self, ids: &Derivation) -> Vec<OrderId> {
        let key = self.key().filter(|_| self.order_id.is_none());
        key.map(|key| ids.formerly_from_idempotency_key(self.user_id, key)).unwrap_or_default()
    }

    /// Returns whether it names an order by an id that another request would get, without a claim to it.
    pub fn names_anothers_order(&self, ids: &Derivation) -> bool {
        let own = self.idempotency_key.as_deref().map(|key| ids.from_idempotency_key(self.user_id, key));
        self.order_id.is_some_and(|order| order_id::is_derived(order) && own != Some(order))
    }

    fn key(&self) -> Option<&str> {
        self.idempotency_key.as_deref().filter(|key| !key.is_empty())
    }
}
