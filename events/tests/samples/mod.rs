//! Golden JSON of everything that travels over Kafka.

use events::{
    Event, account::*, entitlement::*, erasure::*, inventory::*, notification::*, order::*, payment::*, shipping::*,
};
use serde_json::{Value, json};

/// A test of every event.
pub(crate) trait Visitor {
    /// Tests event `E`, whose type is to be `name`, on `topic`, and whose data is to be `data`.
    fn event<E: Event + PartialEq + std::fmt::Debug>(&mut self, topic: &str, name: &str, data: Value);
}

/// The data is `order` beside the event's own.
fn visit<E: Event + PartialEq + std::fmt::Debug>(visitor: &mut impl Visitor, topic: &str, name: &str, own: Value) {
    let mut data = json!({ "order": order() });
    data.as_object_mut().expect("an object").extend(own.as_object().expect("an object").clone());
    visitor.event::<E>(topic, name, data);
}

fn order() -> Value {
    json!({
        "order_id": "0192f0c1-1111-7222-8333-444455556666",
        "user_id": 1,
        "payment_method_id": 2,
        "currency": "JPY",
        "total": 250,
        "items": [
            { "product_id": 1, "quantity": 2, "unit_price": 100, "kind": "digital" },
            { "product_id": 2, "quantity": 1, "unit_price": 50, "kind": "physical" }
        ],
        "ship_to": "1-1 Chiyoda, Tokyo"
    })
}

/// Visits the golden JSON of every event.
pub(crate) fn visit_all(visitor: &mut impl Visitor) {
    let reason = json!({ "reason": "out_of_stock" });
    visit::<OrderCreated>(visitor, "order.events", "OrderCreated", json!({}));
    visit::<OrderRejected>(visitor, "order.events", "OrderRejected", reason.clone());
    visit::<OrderCancelRequested>(visitor, "order.events", "OrderCancelRequested", json!({}));
    visit::<OrderTimedOut>(visitor, "order.events", "OrderTimedOut", json!({}));
    visit::<OrderCompleted>(visitor, "order.events", "OrderCompleted", json!({}));
    visit::<OrderCancelled>(
        visitor,
        "order.events",
        "OrderCancelled",
        json!({ "reason": "discontinued", "refunded": 50 }),
    );
    visitor.event::<UserErased>(
        "order.events",
        "UserErased",
        json!({
            "erasure": { "erasure_id": "de517ed0-2222-8333-8444-555566667777", "user_id": 1 },
            "orders": ["0192f0c1-1111-7222-8333-444455556666"],
        }),
    );

    visit::<BalanceReserved>(visitor, "account.events", "BalanceReserved", json!({}));
    visit::<BalanceRejected>(visitor, "account.events", "BalanceRejected", reason.clone());
    visit::<BalanceDebited>(visitor, "account.events", "BalanceDebited", json!({}));
    visit::<BalanceReleased>(visitor, "account.events", "BalanceReleased", reason.clone());
    visit::<BalanceRefunded>(
        visitor,
        "account.events",
        "BalanceRefunded",
        json!({ "reason": "discontinued", "amount": 50 }),
    );

    visit::<PaymentAuthorized>(visitor, "payment.events", "PaymentAuthorized", json!({}));
    visit::<PaymentDeclined>(visitor, "payment.events", "PaymentDeclined", reason.clone());
    visit::<PaymentCaptured>(visitor, "payment.events", "PaymentCaptured", json!({}));
    visit::<PaymentCaptureFailed>(visitor, "payment.events", "PaymentCaptureFailed", reason.clone());
    visit::<PaymentVoided>(visitor, "payment.events", "PaymentVoided", reason.clone());
    visit::<PaymentRefunded>(visitor, "payment.events", "PaymentRefunded", reason.clone());

    visit::<StockReserved>(visitor, "inventory.events", "StockReserved", json!({}));
    visit::<StockRejected>(
        visitor,
        "inventory.events",
        "StockRejected",
        json!({ "reason": "out_of_stock", "product_id": 1 }),
    );
    visit::<StockCommitted>(visitor, "inventory.events", "StockCommitted", json!({}));
    visit::<StockReleased>(visitor, "inventory.events", "StockReleased", reason.clone());

    visit::<ShipmentArranged>(visitor, "shipping.events", "ShipmentArranged", json!({ "tracking_no": "TRK-1" }));
    visit::<ShipmentRejected>(visitor, "shipping.events", "ShipmentRejected", reason.clone());
    visit::<ShipmentCancelled>(visitor, "shipping.events", "ShipmentCancelled", reason.clone());

    visit::<EntitlementGranted>(visitor, "entitlement.events", "EntitlementGranted", json!({}));
    visit::<EntitlementRejected>(visitor, "entitlement.events", "EntitlementRejected", reason.clone());
    visit::<EntitlementRevoked>(visitor, "entitlement.events", "EntitlementRevoked", reason);

    visit::<NotificationSent>(visitor, "notification.events", "NotificationSent", json!({ "kind": "receipt" }));
}

/// A request with as little as possible, and one with everything.
pub(crate) fn requests() -> [Value; 2] {
    let least = json!({ "user_id": 1, "payment_method_id": 1, "items": [{ "product_id": 1, "quantity": 1 }] });
    let most = json!({
        "user_id": 1, "payment_method_id": 1, "items": [{ "product_id": 1, "quantity": 1 }],
        "order_id": "0192f0c1-1111-7222-8333-444455556666", "idempotency_key": "cart-17", "ship_to": "Tokyo"
    });
    [least, most]
}
