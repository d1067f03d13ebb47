use events::{
    order::{OrderCompleted, OrderCreated},
    request::{ORDER_REQUESTED, OrderRequested},
};
use uuid::Uuid;

use super::*;

const NOW_MS: u64 = 1_790_000_000_000;

fn table() -> Table<OrderId> {
    Table::of(Publisher::Account).on("count", &[], |e: OrderCreated| e.order.order_id).on_data(
        ORDER_REQUESTED,
        Publisher::Client,
        "place",
        &[],
        |r: OrderRequested, _, record| r.order_id_of(record.original()),
    )
}

fn record(topic: &str, key: &str, value: &str, headers: &[(&str, &str)]) -> Record {
    let headers = [("ce_specversion", "1.0")].iter().chain(headers);
    Record {
        topic: topic.into(),
        timestamp_ms: NOW_MS,
        key: Some(key.into()),
        value: Some(value.into()),
        headers: headers.map(|(name, value)| ((*name).to_owned(), (*value).into())).collect(),
        ..Record::default()
    }
}

/// An event of the order service with this value, whose key is an order's id.
fn event(value: &str, id: &str, source: &str, key: &str) -> Record {
    let headers = [("ce_type", "OrderCreated"), ("ce_id", id), ("ce_source", source)];
    record("order.events", key, value, &headers)
}

fn good() -> String {
    r#"{"order":{"order_id":"01a1f9e8-951d-7093-b79b-b73091269b08","user_id":1,"payment_method_id":1,"currency":"JPY","total":0,"items":[]}}"#.to_owned()
}

#[test]
fn what_a_service_cannot_read_on_anothers_topic_parks_that_order() {
    let (order, id) = (OrderId(Uuid::now_v7()), EventId::new());
    let text = (order.to_string(), id.to_string());
    for value in ["{\"order\":{\"a newer shape\":1}}", "\u{1}not JSON"] {
        let Reading::Parks(unread) = read(&table(), &event(value, &text.1, "/services/order", &text.0)) else {
            panic!("{value}")
        };
        assert_eq!((unread.id, unread.order_id, unread.event_type.as_str()), (id, order, "OrderCreated"));
    }
    // A newer envelope, or one that has lost something.
    let mut newer = event(&good(), &text.1, "/services/order", &text.0);
    newer.headers[0].1 = b"2.0".into();
    assert!(matches!(read(&table(), &newer), Reading::Parks(unread) if unread.id == id));
    newer.headers.retain(|(name, _)| !["ce_source", "ce_id"].contains(&name.as_str()));
    let Reading::Parks(first) = read(&table(), &newer) else { panic!("it names its order") };
    let Reading::Parks(again) = read(&table(), &newer) else { panic!("it names its order") };
    assert_eq!(first, again, "the same on every delivery");
    // The subject goes before the key.
    let mut subject = event("?", &text.1, "/services/order", "some key");
    subject.headers.push(("ce_subject".into(), text.0.clone().into()));
    assert!(matches!(read(&table(), &subject), Reading::Parks(unread) if unread.order_id == order));
}

#[test]
fn requests_and_what_names_no_order_are_dead_letters() {
    let (order, id) = (OrderId(Uuid::now_v7()).to_string(), EventId::new().to_string());
    let letters = [
        record("order.requests", &order, "?", &[("ce_type", ORDER_REQUESTED)]),
        record("order.requests", &order, "?", &[]),
        event("?", &id, "/services/order", "no order's id"),
        record("order.events", &order, "?", &[("ce_id", &id), ("ce_source", "/services/order")]),
        event("?", &id, "/services/payment", &order),
    ];
    for letter in letters {
        assert!(matches!(read(&table(), &letter), Reading::DeadLetter(_)), "{letter:?}");
    }
    let other =
        record("order.events", &order, "?", &[("ce_id", &id), ("ce_source", "/x"), ("ce_type", "OrderCompleted")]);
    assert!(matches!(read(&table(), &other), Reading::Skipped), "{}", <OrderCompleted as events::Event>::TYPE);
}

#[test]
fn on_a_services_topic_only_that_service_and_operators_are_believed() {
    let id = EventId::new();
    let read = |source: &str| read(&table(), &event(&good(), &id.to_string(), source, "k"));
    assert!(matches!(read("/services/order"), Reading::Command(incoming) if incoming.origin == Origin::Event(id)));
    for source in ["/services/inventory", "/clients", "", "/services/order/", "/operators"] {
        let Reading::DeadLetter(why) = read(source) else { panic!("{source} is believed") };
        assert!(why.contains("only /services/order publishes on order.events"), "{why}");
    }
    let Reading::Command(operator) = read("/operators/reconcile") else { panic!("an operator is believed") };
    assert_eq!(operator.cause(), Some(id));
    assert_ne!(operator.origin, Origin::Event(id));
}

#[test]
fn only_an_operators_event_counts_on_how_the_order_stands() {
    let id = EventId::new().to_string();
    let expects = |source: &str, words: &str| {
        let mut record = event(&good(), &id, source, "k");
        record.headers.push((EXPECTS.to_owned(), words.as_bytes().to_vec()));
        let Reading::Command(incoming) = read(&table(), &record) else { panic!("an event") };
        incoming.expects
    };
    let own = table().service().name();
    let words = format!("nobody=X,{own}=RESERVED,other=-");
    assert_eq!(expects("/operators/reconcile", &words).as_deref(), Some("RESERVED"));
    assert_eq!(expects("/operators/reconcile", "other=-"), None);
    assert_eq!(expects("/services/order", &words), None, "a service's events are facts");
}

/// A client that uses the id of a service's event must not make the inbox take that event for a repetition.
#[test]
fn a_clients_id_uses_up_no_other_id() {
    let id = EventId::new();
    let request = r#"{"user_id":1,"payment_method_id":1,"items":[]}"#;
    let of = |source: &str| {
        let headers = [("ce_type", ORDER_REQUESTED), ("ce_id", &id.to_string()), ("ce_source", source)];
        match read(&table(), &record("order.requests", "k", request, &headers)) {
            Reading::Command(incoming) => {
                assert_eq!(incoming.cause(), Some(id), "what follows names the request by its own id");
                incoming.origin
            }
            other => panic!("{other:?}"),
        }
    };
    let sources = ["/clients", "/shop", "/services/order", "/services/account"];
    for (place, source) in sources.iter().enumerate() {
        assert_ne!(of(source), Origin::Event(id));
        assert_eq!(of(source), of(source));
        assert!(sources[..place].iter().all(|other| of(other) != of(source)));
    }
}
