//! Pins every name on the wire. A failure here means that unknown programs stop working.

use events::{
    Event, account::*, entitlement::*, inventory::*, notification::*, order::*, payment::*, request::OrderRequested,
    shipping::*,
};
use serde_json::{Value, json};

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

/// The event has the type `name` on `topic`, and its data is exactly `order` beside `own`, in both directions.
fn pin<E: Event + PartialEq + std::fmt::Debug>(topic: &str, name: &str, own: Value) {
    let mut data = json!({ "order": order() });
    data.as_object_mut().expect("an object").extend(own.as_object().expect("an object").clone());
    let event: E =
        serde_json::from_value(data.clone()).unwrap_or_else(|error| panic!("{name} reads its golden JSON: {error}"));
    assert_eq!(serde_json::to_value(&event).expect("serializes"), data, "{name} writes its golden JSON");
    assert_eq!((E::PUBLISHER.topic(), E::TYPE), (topic, name));
}

#[test]
fn every_event_has_its_golden_json() {
    let reason = json!({ "reason": "out_of_stock" });
    pin::<OrderCreated>("order.events", "OrderCreated", json!({}));
    pin::<OrderRejected>("order.events", "OrderRejected", reason.clone());
    pin::<OrderCancelRequested>("order.events", "OrderCancelRequested", json!({}));
    pin::<OrderTimedOut>("order.events", "OrderTimedOut", json!({}));
    pin::<OrderCompleted>("order.events", "OrderCompleted", json!({}));
    pin::<OrderCancelled>("order.events", "OrderCancelled", json!({ "reason": "discontinued", "refunded": 50 }));

    pin::<BalanceReserved>("account.events", "BalanceReserved", json!({}));
    pin::<BalanceRejected>("account.events", "BalanceRejected", reason.clone());
    pin::<BalanceDebited>("account.events", "BalanceDebited", json!({}));
    pin::<BalanceReleased>("account.events", "BalanceReleased", reason.clone());
    pin::<BalanceRefunded>("account.events", "BalanceRefunded", json!({ "reason": "discontinued", "amount": 50 }));

    pin::<PaymentAuthorized>("payment.events", "PaymentAuthorized", json!({}));
    pin::<PaymentDeclined>("payment.events", "PaymentDeclined", reason.clone());
    pin::<PaymentCaptured>("payment.events", "PaymentCaptured", json!({}));
    pin::<PaymentCaptureFailed>("payment.events", "PaymentCaptureFailed", reason.clone());
    pin::<PaymentVoided>("payment.events", "PaymentVoided", reason.clone());
    pin::<PaymentRefunded>("payment.events", "PaymentRefunded", reason.clone());

    pin::<StockReserved>("inventory.events", "StockReserved", json!({}));
    pin::<StockRejected>("inventory.events", "StockRejected", json!({ "reason": "out_of_stock", "product_id": 1 }));
    pin::<StockCommitted>("inventory.events", "StockCommitted", json!({}));
    pin::<StockReleased>("inventory.events", "StockReleased", reason.clone());

    pin::<ShipmentArranged>("shipping.events", "ShipmentArranged", json!({ "tracking_no": "TRK-1" }));
    pin::<ShipmentRejected>("shipping.events", "ShipmentRejected", reason.clone());
    pin::<ShipmentCancelled>("shipping.events", "ShipmentCancelled", reason.clone());

    pin::<EntitlementGranted>("entitlement.events", "EntitlementGranted", json!({}));
    pin::<EntitlementRejected>("entitlement.events", "EntitlementRejected", reason.clone());
    pin::<EntitlementRevoked>("entitlement.events", "EntitlementRevoked", reason);

    pin::<NotificationSent>("notification.events", "NotificationSent", json!({ "kind": "receipt" }));
}

#[test]
fn a_request_has_its_golden_json() {
    let least = json!({ "user_id": 1, "payment_method_id": 1, "items": [{ "product_id": 1, "quantity": 1 }] });
    let most = json!({
        "user_id": 1, "payment_method_id": 1, "items": [{ "product_id": 1, "quantity": 1 }],
        "order_id": "0192f0c1-1111-7222-8333-444455556666", "idempotency_key": "cart-17", "ship_to": "Tokyo"
    });
    for golden in [least, most] {
        let request: OrderRequested = serde_json::from_value(golden.clone()).expect("reads");
        assert_eq!(serde_json::to_value(&request).expect("writes"), golden);
    }
}

#[test]
fn reasons_have_their_words() {
    let words: Vec<&str> = events::Reason::ALL.iter().map(|reason| reason.as_str()).collect();
    assert_eq!(
        words,
        [
            "insufficient_balance",
            "unknown_user",
            "invalid_payment_method",
            "card_declined",
            "gateway_unavailable",
            "out_of_stock",
            "unknown_product",
            "unshippable_address",
            "discontinued",
            "invalid_request",
            "cancelled_by_user",
            "timed_out",
        ]
    );
}
