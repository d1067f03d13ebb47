//! From request to order: what is priced, what is rejected, what counts as a repetition.

use events::{
    Currency, OrderId, PaymentMethodId, Reason, UserId, order_id, order_id::Derivation, request::OrderRequested,
};
use order::{Command, Door, Former, Money, Placement, Status};
use personal_data::{Held, PersonKey, PersonKeys};
use saga::ids::{Coordinates, Original};
use uuid::Uuid;

use crate::desk::{DIGITAL, Desk, FOR_POINTS, PHYSICAL, PRICELESS, TIMEOUT, order_id, place, released, request, types};

#[test]
fn an_order_is_priced_merged_and_stored_pending() {
    let mut desk = Desk::new();
    let id = order_id();
    let says = desk.decide(&place(id, request(&[(PHYSICAL, 1), (DIGITAL, 2), (PHYSICAL, 3)])));
    assert_eq!(types(&says), ["OrderCreated"]);
    let purchase = desk.purchase(id);
    let items: Vec<_> =
        purchase.facts.items.iter().map(|item| (item.product_id.0, item.quantity, item.unit_price)).collect();
    assert_eq!(items, [(DIGITAL, 2, 100), (PHYSICAL, 4, 250)]);
    assert_eq!((purchase.facts.currency, purchase.facts.total), (Currency::JPY, 1200));
    assert_eq!(purchase.facts.ship_to.as_deref(), Some("1 Main Street"));
    assert_eq!((purchase.status, purchase.reason, purchase.money), (Status::Pending, None, Money::Open));
    assert_eq!(purchase.deadline, Some(desk.now + TIMEOUT));
}

#[test]
fn an_address_travels_only_with_goods() {
    let (_, order) = Desk::with_order(&[DIGITAL]);
    assert_eq!(order.ship_to, None);
}

/// Invalid requests, each with a word that the answer contains.
fn nonsense() -> Vec<(OrderRequested, &'static str)> {
    let text = |ship_to: &str| OrderRequested { ship_to: Some(ship_to.into()), ..request(&[(DIGITAL, 1)]) };
    let key = |key: &str| OrderRequested { idempotency_key: Some(key.into()), ..request(&[(DIGITAL, 1)]) };
    vec![
        (request(&[]), "items is empty"),
        (request(&[(DIGITAL, 1); 101]), "101 lines"),
        (request(&[(DIGITAL, 0)]), "at least 1"),
        (request(&[(DIGITAL, 1), (PHYSICAL, -1)]), "at least 1"),
        (request(&[(DIGITAL, i64::MIN)]), "at least 1"),
        (request(&[(DIGITAL, i64::MAX), (DIGITAL, 1)]), "at most 1000000"),
        (request(&[(DIGITAL, 1_000_001)]), "product 1 is 1000001; at most 1000000"),
        (request(&[(DIGITAL, 1_000_000), (DIGITAL, 1)]), "product 1 is 1000001; at most 1000000"),
        (request(&[(PRICELESS, 1), (DIGITAL, 1)]), "total"),
        (request(&[(DIGITAL, 1), (FOR_POINTS, 1)]), "JPY and in PTS"),
        (text("1 Main Street\nSpringfield"), "control"),
        (text("nul\0"), "control"),
        (text(&"é".repeat(501)), "501 characters"),
        (key("nul\0"), "control"),
        (key(&"k".repeat(501)), "501 characters"),
    ]
}

#[test]
fn what_makes_no_sense_is_stored_as_rejected_without_any_of_it() {
    for (request, _) in nonsense() {
        let mut desk = Desk::new();
        let id = order_id();
        let says = desk.decide(&place(id, request.clone()));
        assert_eq!(types(&says), ["OrderRejected"], "{request:?}");
        let purchase = desk.purchase(id);
        assert_eq!((purchase.status, purchase.reason), (Status::Rejected, Some(Reason::InvalidRequest)));
        assert_eq!((purchase.facts.currency, purchase.facts.total), (Currency::NONE, 0));
        assert_eq!((purchase.facts.items.len(), &purchase.facts.ship_to, purchase.deadline), (0, &None, None));
    }
}

#[test]
fn at_the_api_it_is_refused_with_the_reason_and_leaves_nothing() {
    for (request, word) in nonsense() {
        let mut desk = Desk::new();
        let id = order_id();
        let says = desk.decide(&Command::Place(Placement { order_id: id, request, door: Door::Api, former: None }));
        let why = says.refused.expect("refused");
        assert!(why.contains(word), "{why:?} tells of {word:?}");
        assert!(desk.said.is_empty() && desk.register.purchases.get(&id).is_none() && desk.register.history.is_empty());
    }
}

#[test]
fn the_bounds_themselves_are_fine() {
    for fine in [
        request(&[(DIGITAL, 1); 100]),
        request(&[(PRICELESS, 1)]),
        OrderRequested { ship_to: Some("é".repeat(500)), ..request(&[(PHYSICAL, 1)]) },
    ] {
        assert_eq!(types(&Desk::new().decide(&place(order_id(), fine))), ["OrderCreated"]);
    }
}

#[test]
fn an_unknown_product_is_rejected_at_every_door() {
    for door in [Door::Topic, Door::Api] {
        let mut desk = Desk::new();
        let id = order_id();
        let request = request(&[(DIGITAL, 1), (4711, 1)]);
        let says = desk.decide(&Command::Place(Placement { order_id: id, request, door, former: None }));
        assert_eq!(types(&says), ["OrderRejected"]);
        assert_eq!(desk.purchase(id).reason, Some(Reason::UnknownProduct));
    }
}

/// Otherwise it would be found only after the buyer's money has been debited.
#[test]
fn goods_without_an_address_are_refused_before_anything_is_charged() {
    for address in [None, Some(""), Some("  ")] {
        let address = address.map(str::to_owned);
        let request = OrderRequested { ship_to: address, ..request(&[(DIGITAL, 1), (PHYSICAL, 1)]) };
        let (mut desk, id) = (Desk::new(), order_id());
        assert_eq!(types(&desk.decide(&place(id, request.clone()))), ["OrderRejected"]);
        assert_eq!(desk.purchase(id).reason, Some(Reason::UnshippableAddress));

        let (mut desk, id) = (Desk::new(), order_id());
        let says = desk.decide(&Command::Place(Placement { order_id: id, request, door: Door::Api, former: None }));
        assert!(says.refused.is_some_and(|why| why.contains("ship_to")) && desk.register.purchases.get(&id).is_none());
    }
    let digital = OrderRequested { ship_to: None, ..request(&[(DIGITAL, 1)]) };
    assert_eq!(types(&Desk::new().decide(&place(order_id(), digital))), ["OrderCreated"]);
}

/// A client uses the order id that will be derived from another's idempotency key or bare record.
#[test]
fn nobody_can_take_the_id_that_anothers_request_is_going_to_get() {
    let keyed = |user| OrderRequested {
        user_id: UserId(user),
        idempotency_key: Some("cart-17".into()),
        ..request(&[(DIGITAL, 1)])
    };
    let at = Coordinates { topic: "order.requests", partition: 0, offset: 7 };
    let original = Original { at, timestamp_ms: 1_790_000_000_000, value: Some(b"{}") };
    let owners = [keyed(1).named_order(&Derivation::default()).expect("by its key"), order_id::from_record(original)];
    for taken in owners {
        let thief = OrderRequested { order_id: Some(taken), ..request(&[(DIGITAL, 5)]) };
        for (door, request) in [
            (Door::Topic, thief.clone()),
            (Door::Api, thief),
            // Nor with a key of its own.
            (Door::Topic, OrderRequested { order_id: Some(taken), ..keyed(2) }),
        ] {
            let mut desk = Desk::new();
            let says = desk.decide(&Command::Place(Placement { order_id: taken, request, door, former: None }));
            assert!(says.refused.is_some() && desk.register.purchases.get(&taken).is_none(), "{door:?}");
            // Its owner can still use it.
            assert_eq!(types(&desk.decide(&place(taken, keyed(1)))), ["OrderCreated"]);
            // And may then name it explicitly too.
            let named = OrderRequested { order_id: Some(taken), ..keyed(1) };
            assert!(desk.decide(&place(taken, named)).ignored.is_some());
        }
    }
}

/// All sagas with that id would be one, and wait for each other.
#[test]
fn an_order_is_never_named_by_nothing() {
    for door in [Door::Topic, Door::Api] {
        let (nil, mut desk) = (OrderId(Uuid::nil()), Desk::new());
        let request = OrderRequested { order_id: Some(nil), ..request(&[(DIGITAL, 1)]) };
        let says = desk.decide(&Command::Place(Placement { order_id: nil, request, door, former: None }));
        assert!(says.refused.is_some_and(|why| why.contains("nil")), "{door:?}");
        assert!(says.events.is_empty() && desk.register.purchases.get(&nil).is_none(), "{door:?}");
    }
}

/// A retry after an upgrade: an earlier version derived another id from the key.
#[test]
fn a_key_that_an_earlier_version_has_seen_makes_no_second_order() {
    let keyed = OrderRequested { idempotency_key: Some("cart-17".into()), ..request(&[(DIGITAL, 1)]) };
    let formers = keyed.former_orders(&Derivation::default());
    let [former] = formers[..] else { panic!("{formers:?}") };
    let mut desk = Desk::new();
    let _ = desk.decide(&place(former, OrderRequested { order_id: Some(former), ..keyed.clone() }));
    let now = keyed.named_order(&Derivation::default()).expect("by its key");
    assert_ne!(former, now);
    assert!(desk.decide(&place(now, keyed.clone())).ignored.is_some());
    // Another order under that id does not prevent it.
    let other = OrderRequested { payment_method_id: PaymentMethodId(9), ..keyed };
    assert_eq!(types(&desk.decide(&place(now, other))), ["OrderCreated"]);
}

/// A topic is read again after an upgrade: an earlier version derived another id from the record's position.
#[test]
fn a_record_that_an_earlier_version_has_seen_makes_no_second_order() {
    let (former, now) = (order_id(), order_id());
    let placed = |order_id, former| {
        Command::Place(Placement { order_id, request: request(&[(DIGITAL, 1)]), door: Door::Topic, former })
    };
    let mut desk = Desk::new();
    assert_eq!(types(&desk.decide(&placed(former, None))), ["OrderCreated"]);
    assert!(desk.decide(&placed(now, Some(Former { order_id: former, requested_ms: 0 }))).ignored.is_some());
    let another = Former { order_id: order_id(), requested_ms: 0 };
    assert_eq!(types(&desk.decide(&placed(now, Some(another)))), ["OrderCreated"]);
}

#[test]
fn the_same_request_again_changes_nothing_and_another_one_is_refused() {
    let first = request(&[(DIGITAL, 1), (PHYSICAL, 2)]);
    for lines in [vec![(DIGITAL, 1), (PHYSICAL, 2)], vec![]] {
        let mut desk = Desk::new();
        let id = order_id();
        let _ = desk.decide(&place(id, request(&lines)));
        let before = desk.register.clone();
        let again = OrderRequested { idempotency_key: Some("renamed".into()), ..request(&lines) };
        assert!(desk.decide(&place(id, again)).ignored.is_some());
        for other in [
            OrderRequested { user_id: UserId(2), ..first.clone() },
            OrderRequested { payment_method_id: PaymentMethodId(2), ..first.clone() },
            OrderRequested { ship_to: None, ..first.clone() },
            request(&[(DIGITAL, 2), (PHYSICAL, 2)]),
        ] {
            assert!(desk.decide(&place(id, other)).refused.is_some());
        }
        assert_eq!(desk.register, before);
    }
}

#[test]
fn a_request_after_its_compensation_is_hanging() {
    let (_, order) = Desk::with_order(&[DIGITAL, PHYSICAL]);
    let mut desk = Desk::new();
    let _ = desk.decide(&released(Reason::OutOfStock).of(&order));
    assert_eq!(desk.said, ["OrderCancelled"]);
    assert_eq!(desk.status(order.order_id), Status::Cancelled);

    let says = desk.decide(&place(order.order_id, request(&[(DIGITAL, 1)])));
    assert!(says.ignored.is_some_and(|why| why.starts_with("hanging")));
    assert_eq!(desk.said, ["OrderCancelled"]);
}

#[test]
fn the_history_tells_what_came_and_what_was_said() {
    let mut desk = Desk::new();
    let id = OrderId(Uuid::now_v7());
    let _ = desk.decide(&place(id, request(&[(DIGITAL, 1)])));
    let _ = desk.decide(&place(id, request(&[(DIGITAL, 1)])));
    let history: Vec<_> = desk.register.history.iter().map(|entry| (entry.event, entry.publisher.name())).collect();
    assert_eq!(history, [("OrderRequested", "client"), ("OrderCreated", "order")]);
}

/// The log reports each change of status, and nothing else.
#[test]
fn the_log_is_told_what_has_become_of_the_order() {
    let mut desk = Desk::new();
    let id = order_id();
    let request = request(&[(DIGITAL, 1)]);
    assert_eq!(desk.decide(&place(id, request.clone())).becomes, Some("PENDING"));
    assert_eq!(desk.decide(&place(id, request)).becomes, None);
    assert_eq!(desk.decide(&Command::RequestCancel(id)).becomes, Some("CANCELLING"));
    assert_eq!(desk.decide(&Command::RequestCancel(id)).becomes, None);
    let order = desk.purchase(id).facts.clone();
    assert_eq!(desk.decide(&released(Reason::CancelledByUser).of(&order)).becomes, Some("CANCELLED"));
}

/// With keys, the address is sealed where it is stored and said, for its own order; a repeated request is still recognized, and
/// so is one that was placed before addresses were sealed.
#[test]
fn an_address_is_sealed_and_a_repeated_request_is_recognized() {
    let keys = |key: &PersonKey| PersonKeys::sealing([(1, Held::Key(key.clone()))]);
    let key = PersonKey::generate();
    let wish = || request(&[(PHYSICAL, 1)]);
    let address = wish().ship_to.expect("an address");
    let id = order_id();
    let mut desk = Desk::new();
    desk.register.keys = keys(&key);
    let says = desk.decide(&place(id, wish()));
    assert_eq!(types(&says), ["OrderCreated"]);
    let stored = desk.purchase(id).facts.ship_to.clone().expect("an address");
    assert!(!format!("{says:?}").contains(&address) && format!("{says:?}").contains(&stored));
    assert_eq!(keys(&key).open(1, &format!("order/{id}/ship_to"), &stored).as_deref(), Ok(&*address));
    assert!(desk.decide(&place(id, wish())).ignored.is_some());
    let elsewhere = OrderRequested { ship_to: Some("elsewhere".into()), ..wish() };
    assert!(desk.decide(&place(id, elsewhere)).refused.is_some());

    // Placed in plain text, asked for again after keys were given.
    let mut desk = Desk::new();
    let _ = desk.decide(&place(id, wish()));
    desk.register.keys = keys(&key);
    assert!(desk.decide(&place(id, wish())).ignored.is_some());
}

#[test]
fn an_erased_buyer_can_place_nothing_and_nothing_of_his_request_is_kept() {
    let mut desk = Desk::new();
    desk.register.keys = PersonKeys::sealing([(1, Held::Erased)]);
    let wish = || request(&[(PHYSICAL, 1)]);
    let address = wish().ship_to.expect("an address");
    let by_api = Placement { order_id: order_id(), request: wish(), door: Door::Api, former: None };
    assert!(desk.decide(&Command::Place(by_api)).refused.is_some_and(|why| why.contains("erased")));
    let id = order_id();
    let says = desk.decide(&place(id, wish()));
    assert_eq!(types(&says), ["OrderRejected"]);
    assert_eq!(desk.purchase(id).request, None, "no hash of an address that could be guessed");
    assert!(!format!("{says:?} {:?}", desk.register).contains(&address));
    assert!(desk.decide(&place(id, wish())).ignored.is_some());
}
