//! Test orders for the services' tests. Requires the feature `testing`.

use uuid::Uuid;

use crate::{Currency, Item, Kind, Order, OrderId, PaymentMethodId, ProductId, UserId};

/// A new order of user 1 with payment method 1, in JPY, without an address.
pub fn order(items: impl IntoIterator<Item = Item>) -> Order {
    let items: Vec<Item> = items.into_iter().collect();
    Order {
        order_id: OrderId(Uuid::now_v7()),
        user_id: UserId(1),
        payment_method_id: PaymentMethodId(1),
        currency: Currency::JPY,
        total: items.iter().map(|item| item.quantity * item.unit_price).sum(),
        items,
        ship_to: None,
    }
}

/// A physical item, 100 per piece.
pub fn physical(product: i64, quantity: i64) -> Item {
    Item { product_id: ProductId(product), quantity, unit_price: 100, kind: Kind::Physical }
}

/// A digital item, 100 per piece.
pub fn digital(product: i64, quantity: i64) -> Item {
    Item { product_id: ProductId(product), quantity, unit_price: 100, kind: Kind::Digital }
}
