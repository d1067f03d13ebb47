//! Pins every name on the wire. A failure here means that unknown programs stop working.

mod samples;

use events::{Event, request::OrderRequested};
use serde_json::Value;

/// The event has the type `name` on `topic`, and its data is exactly `data`, in both directions.
struct Pin;

impl samples::Visitor for Pin {
    fn event<E: Event + PartialEq + std::fmt::Debug>(&mut self, topic: &str, name: &str, data: Value) {
        let event: E = serde_json::from_value(data.clone())
            .unwrap_or_else(|error| panic!("{name} reads its golden JSON: {error}"));
        assert_eq!(serde_json::to_value(&event).expect("serializes"), data, "{name} writes its golden JSON");
        assert_eq!((E::PUBLISHER.topic(), E::TYPE), (topic, name));
    }
}

#[test]
fn every_event_has_its_golden_json() {
    samples::visit_all(&mut Pin);
}

#[test]
fn a_request_has_its_golden_json() {
    for golden in samples::requests() {
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
