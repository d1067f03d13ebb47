use events::testing::{digital, order, physical};

use super::*;

const GRANT: Ask = Ask::Grant;
const REVOKE: Ask = Ask::Revoke(Reason::UnshippableAddress);

fn mixed() -> Order {
    order([digital(1, 1), digital(2, 3), physical(9, 1)])
}

/// The products 1 and 2 are available, 3 no longer is; the order already has this status.
fn shelf_with(order: &Order, status: Option<Status>) -> Shelf {
    let catalogue = BTreeMap::from([(ProductId(1), true), (ProductId(2), true), (ProductId(3), false)]);
    let mut shelf = Shelf { catalogue, ..Shelf::default() };
    if let Some(status) = status {
        shelf.note(order, status, None);
    }
    Shelf { unlocks: shelf.unlocks.saved(), ..shelf }
}

fn ask(shelf: &mut Shelf, order: &Order, ask: Ask) -> Says {
    decide(shelf, &Command::new(order.clone(), ask))
}

#[test]
fn every_status_and_every_ask_have_an_outcome() {
    use Status::{Cancelled, Confirmed, Refunded, Rejected, Reserved};
    type Line = (Option<Status>, Ask, Status, Option<&'static str>);
    let table: [Line; 12] = [
        (None, GRANT, Confirmed, Some("EntitlementGranted")),
        (None, REVOKE, Cancelled, Some("EntitlementRevoked")),
        (Some(Confirmed), GRANT, Confirmed, None),
        (Some(Confirmed), REVOKE, Cancelled, Some("EntitlementRevoked")),
        (Some(Cancelled), GRANT, Cancelled, None),
        (Some(Cancelled), REVOKE, Cancelled, None),
        (Some(Rejected), GRANT, Rejected, None),
        (Some(Rejected), REVOKE, Rejected, None),
        // These two statuses are never written.
        (Some(Reserved), GRANT, Reserved, None),
        (Some(Reserved), REVOKE, Cancelled, Some("EntitlementRevoked")),
        (Some(Refunded), GRANT, Refunded, None),
        (Some(Refunded), REVOKE, Refunded, None),
    ];
    for (before, asked, after, says) in table {
        let order = mixed();
        let mut shelf = shelf_with(&order, before);
        let untouched = shelf.clone();
        let outcome = ask(&mut shelf, &order, asked);
        let said: Vec<_> = outcome.events.iter().map(|said| said.event_type).collect();
        assert_eq!(said, Vec::from_iter(says), "{asked:?} on {before:?}");
        let unlock = shelf.unlocks.get(&order.order_id).expect("it is written down");
        assert_eq!(unlock.status, after, "{asked:?} on {before:?}");
        assert_eq!(unlock.products, [1, 2].map(ProductId).into(), "the digital items and no others");
        assert_eq!(outcome.ignored.is_some(), says.is_none(), "{asked:?} on {before:?} says why it does nothing");
        if says.is_none() {
            assert_eq!(shelf, untouched, "{asked:?} on {before:?}");
        }
    }
}

#[test]
fn what_is_not_digital_is_no_concern() {
    let (physical, digital) = (order([physical(9, 1)]), order([digital(1, 1)]));
    for (order, asked) in [(&physical, GRANT), (&physical, REVOKE), (&digital, REVOKE)] {
        let mut shelf = shelf_with(order, None);
        assert!(ask(&mut shelf, order, asked).ignored.is_some(), "{asked:?}");
        assert_eq!(shelf, shelf_with(order, None), "{asked:?} leaves no row");
    }
}

#[test]
fn all_items_or_none() {
    for (items, reason) in [
        (vec![digital(1, 1), digital(3, 1)], Reason::Discontinued),
        (vec![digital(1, 1), digital(77, 1)], Reason::UnknownProduct),
        (vec![digital(3, 1), digital(77, 1)], Reason::Discontinued),
        (vec![digital(77, 1), digital(3, 1)], Reason::UnknownProduct),
    ] {
        let order = order(items);
        let mut shelf = shelf_with(&order, None);
        let says = ask(&mut shelf, &order, GRANT);
        assert_eq!(says, Says::event(EntitlementRejected { order: order.clone(), reason }));
        let unlock = shelf.unlocks.get(&order.order_id).expect("the refusal is written down");
        assert_eq!((unlock.status, unlock.reason, unlock.products.len()), (Status::Rejected, Some(reason), 2));
    }
}

#[test]
fn the_reason_travels_on() {
    for before in [None, Some(Status::Confirmed)] {
        let order = mixed();
        let mut shelf = shelf_with(&order, before);
        let reason = Reason::UnshippableAddress;
        assert_eq!(ask(&mut shelf, &order, REVOKE), Says::event(EntitlementRevoked { order: order.clone(), reason }));
        assert_eq!(shelf.unlocks.get(&order.order_id).and_then(|unlock| unlock.reason), Some(reason));
    }
}
