use events::{
    Item,
    testing::{digital, order, physical},
};

use super::*;

const ARRANGE: Ask = Ask::Arrange;
const CANCEL: Ask = Ask::Cancel(Reason::Discontinued);

fn order_to(ship_to: Option<&str>, items: impl IntoIterator<Item = Item>) -> Order {
    Order { ship_to: ship_to.map(str::to_owned), ..order(items) }
}

fn mixed() -> Order {
    order_to(Some("1 Main Street, Kyoto"), [physical(1, 1), digital(2, 1)])
}

/// A depot in which the order already has this status.
fn depot_with(order: &Order, status: Option<Status>) -> Depot {
    let mut depot = Depot { no_service: vec!["nowhere".to_owned()], ..Depot::default() };
    if let Some(status) = status {
        depot.note(order, status, None);
    }
    Depot { shipments: depot.shipments.saved(), ..depot }
}

fn ask(depot: &mut Depot, order: &Order, ask: Ask) -> Says {
    decide(depot, &Command::new(order.clone(), ask))
}

#[test]
fn every_status_and_every_ask_have_an_outcome() {
    use Status::{Cancelled, Confirmed, Refunded, Rejected, Reserved};
    type Line = (Option<Status>, Ask, Status, Option<&'static str>);
    let table: [Line; 12] = [
        (None, ARRANGE, Confirmed, Some("ShipmentArranged")),
        (None, CANCEL, Cancelled, Some("ShipmentCancelled")),
        (Some(Confirmed), ARRANGE, Confirmed, None),
        (Some(Confirmed), CANCEL, Cancelled, Some("ShipmentCancelled")),
        (Some(Cancelled), ARRANGE, Cancelled, None),
        (Some(Cancelled), CANCEL, Cancelled, None),
        (Some(Rejected), ARRANGE, Rejected, None),
        (Some(Rejected), CANCEL, Rejected, None),
        // These two statuses are never written.
        (Some(Reserved), ARRANGE, Reserved, None),
        (Some(Reserved), CANCEL, Cancelled, Some("ShipmentCancelled")),
        (Some(Refunded), ARRANGE, Refunded, None),
        (Some(Refunded), CANCEL, Refunded, None),
    ];
    for (before, asked, after, says) in table {
        let order = mixed();
        let mut depot = depot_with(&order, before);
        let untouched = depot.clone();
        let outcome = ask(&mut depot, &order, asked);
        let said: Vec<_> = outcome.events.iter().map(|said| said.event_type).collect();
        assert_eq!(said, Vec::from_iter(says), "{asked:?} on {before:?}");
        let status = depot.shipments.get(&order.order_id).map(|shipment| shipment.status);
        assert_eq!(status, Some(after), "{asked:?} on {before:?}");
        assert_eq!(outcome.ignored.is_some(), says.is_none(), "{asked:?} on {before:?} says why it does nothing");
        if says.is_none() {
            assert_eq!(depot, untouched, "{asked:?} on {before:?}");
        }
    }
}

#[test]
fn what_does_not_travel_is_no_concern() {
    let (digital, physical) = (order([digital(1, 1)]), order_to(Some("Kyoto"), [physical(1, 1)]));
    for (order, asked) in [(&digital, ARRANGE), (&digital, CANCEL), (&physical, CANCEL)] {
        let mut depot = depot_with(order, None);
        assert!(ask(&mut depot, order, asked).ignored.is_some(), "{asked:?}");
        assert_eq!(depot, depot_with(order, None), "{asked:?} leaves no row");
    }
}

#[test]
fn only_some_addresses_are_delivered_to() {
    for (ship_to, delivered) in [
        (Some("1 Main Street, Kyoto"), true),
        (Some("京都市"), true),
        (None, false),
        (Some(""), false),
        (Some(" \t"), false),
        (Some("nowhere"), false),
        (Some("7 Lost Lane, NoWhere 404"), false),
    ] {
        let order = order_to(ship_to, [physical(1, 1)]);
        let mut depot = depot_with(&order, None);
        let says = ask(&mut depot, &order, ARRANGE);
        let reason = Reason::UnshippableAddress;
        let expected = if delivered {
            Says::event(ShipmentArranged { order: order.clone(), tracking_no: tracking_no(order.order_id) })
        } else {
            Says::event(ShipmentRejected { order: order.clone(), reason })
        };
        assert_eq!(says, expected, "{ship_to:?}");
        let shipment = depot.shipments.get(&order.order_id).expect("both ways it is written down");
        assert_eq!((shipment.tracking_no.is_some(), shipment.reason), (delivered, (!delivered).then_some(reason)));
        assert_eq!(shipment.ship_to.as_deref(), ship_to);
    }
}

#[test]
fn a_cancelled_parcel_keeps_its_number_and_tells_why() {
    let order = mixed();
    let mut depot = depot_with(&order, Some(Status::Confirmed));
    let reason = Reason::Discontinued;
    assert_eq!(ask(&mut depot, &order, CANCEL), Says::event(ShipmentCancelled { order: order.clone(), reason }));
    let shipment = depot.shipments.get(&order.order_id).expect("there");
    assert_eq!((shipment.tracking_no.clone(), shipment.reason), (Some(tracking_no(order.order_id)), Some(reason)));
}

/// Ids that differ in any one bit, as a client might choose them.
#[test]
fn two_parcels_never_have_the_same_number() {
    let id: OrderId = "0190a6a0-1c3e-7d55-8b1f-9c571c0fd1a5".parse().expect("a uuid");
    assert_eq!(tracking_no(id), "PP-01J2KA071YFNARP7WWAWE0ZMD5");
    let mut numbers: Vec<String> =
        (0..128).map(|bit| tracking_no(OrderId(uuid::Uuid::from_u128(id.0.as_u128() ^ 1 << bit)))).collect();
    numbers.push(tracking_no(id));
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 129);
}

/// Sealed addresses are delivered to like plain ones; one of another order, buyer or key, or of an erased buyer, is not.
#[test]
fn a_sealed_address_is_delivered_to_for_its_own_order_alone() {
    use events::personal::ship_to;
    use personal_data::{Held, PersonKey, PersonKeys};

    let order = order_to(Some("12 Main Street"), [physical(1, 1)]);
    let (id, buyer) = (order.order_id, order.user_id.0);
    let keys = PersonKeys::sealing([buyer, buyer + 1].map(|person| (person, Held::Key(PersonKey::generate()))));
    let seal = |person, place: &str, text| keys.seal(person, place, text).expect("sealed");
    let other = OrderId(uuid::Uuid::from_u128(99));
    let sealed = seal(buyer, &ship_to(id), "12 Main Street");
    let erased = PersonKeys::sealing([(buyer, Held::Erased)]);
    for (keys, text, delivered) in [
        (&keys, sealed.clone(), true),
        (&keys, seal(buyer, &ship_to(id), "Nowhere 1"), false),
        (&keys, seal(buyer, &ship_to(other), "12 Main Street"), false),
        (&keys, seal(buyer + 1, &ship_to(id), "12 Main Street"), false),
        (&keys, sealed.replace("sealed:v1:", "sealed:v1:0"), false),
        (&erased, sealed.clone(), false),
    ] {
        let order = Order { ship_to: Some(text.clone()), ..order.clone() };
        let mut depot = Depot { no_service: vec!["nowhere".to_owned()], keys: keys.clone(), ..Depot::default() };
        let says = decide(&mut depot, &Command::new(order.clone(), Ask::Arrange));
        let said = says.events.first().map(|said| said.event_type);
        assert_eq!(said, Some(if delivered { "ShipmentArranged" } else { "ShipmentRejected" }), "{text}");
        assert_eq!(depot.shipments.get(&id).and_then(|row| row.ship_to.clone()), Some(text), "kept as it came");
    }
}
