//! Orders and payment methods for tests.

use events::{Currency, Item, Kind, Order, OrderId, PaymentMethodId, ProductId, UserId};
use payment::{
    Books,
    method::{Method, MethodType},
};
use uuid::Uuid;

pub(crate) const ALICE: UserId = UserId(1);
pub(crate) const METHOD: PaymentMethodId = PaymentMethodId(1);

/// An order of Alice's with this total, to be paid by her only method.
pub(crate) fn order(total: i64, currency: Currency) -> Order {
    Order {
        order_id: OrderId(Uuid::now_v7()),
        user_id: ALICE,
        payment_method_id: METHOD,
        currency,
        total,
        items: vec![Item { product_id: ProductId(1), quantity: 1, unit_price: total, kind: Kind::Digital }],
        ship_to: None,
    }
}

/// Books with this user's only method.
pub(crate) fn books(user_id: UserId, method_type: MethodType, details: Option<String>) -> Books {
    Books { methods: [(METHOD, Method { user_id, method_type, details })].into(), ..Books::default() }
}
