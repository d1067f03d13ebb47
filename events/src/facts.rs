//! The order as it travels with the saga: priced once by the order service, then never changed.

use serde::{Deserialize, Serialize};

use crate::{Currency, OrderId, PaymentMethodId, ProductId, UserId};

/// What was ordered, by whom, at what price. It is `data.order` of every event.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(saga::schema::JsonSchema), schemars(crate = "saga::schema::schemars"))]
pub struct Order {
    pub order_id: OrderId,
    pub user_id: UserId,
    pub payment_method_id: PaymentMethodId,
    pub currency: Currency,
    /// Whole minor units of `currency`.
    pub total: i64,
    /// One item per product.
    pub items: Vec<Item>,
    /// Shipping address; absent if nothing is shipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ship_to: Option<String>,
}

/// A quantity of one product, in pieces.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(saga::schema::JsonSchema), schemars(crate = "saga::schema::schemars"))]
pub struct Item {
    pub product_id: ProductId,
    pub quantity: i64,
    /// Whole minor units of the order's currency, for one piece.
    pub unit_price: i64,
    pub kind: Kind,
}

/// Kind of an item; determines whether shipping or entitlement fulfils it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(saga::schema::JsonSchema), schemars(crate = "saga::schema::schemars"))]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Physical,
    Digital,
}

impl Kind {
    /// The word in the column `products.kind` and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Physical => "physical",
            Kind::Digital => "digital",
        }
    }
}

impl std::str::FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "physical" => Ok(Kind::Physical),
            "digital" => Ok(Kind::Digital),
            other => Err(format!("kind is `physical` or `digital`, not `{other}`")),
        }
    }
}

impl saga::Facts for Order {
    fn saga_id(&self) -> OrderId {
        self.order_id
    }
}

impl Order {
    /// Items that this kind of fulfilment is responsible for.
    pub fn items_of(&self, kind: Kind) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(move |item| item.kind == kind)
    }

    /// Returns whether the order has items of this kind.
    pub fn has(&self, kind: Kind) -> bool {
        self.items_of(kind).next().is_some()
    }

    /// Returns whether the order needs both shipping and entitlement.
    pub fn is_mixed(&self) -> bool {
        self.has(Kind::Physical) && self.has(Kind::Digital)
    }
}
