//! Every status against everything that can happen.

use events::{Order, Reason};
use order::{Status, Turn};

use crate::desk::{DIGITAL, Desk, Happening, PHYSICAL, order_id, place, refunded, rejected, released, request, types};
use Happening::{Parcel, RequestCancel, TimeOut, Unlock};
use Turn::{Done, Refused, Undone};

/// A desk whose order, of a digital item, is in this status and past its deadline.
fn desk_at(status: Status) -> (Desk, Order) {
    let (mut desk, order) = if status == Status::Rejected {
        let mut desk = Desk::new();
        let id = order_id();
        let _ = desk.decide(&place(id, request(&[])));
        let order = desk.purchase(id).facts.clone();
        (desk, order)
    } else {
        Desk::with_order(&[DIGITAL])
    };
    let way: &[Happening] = match status {
        Status::Pending | Status::Rejected => &[],
        Status::Cancelling => &[RequestCancel],
        Status::Completed => &[Unlock(Done)],
        Status::Cancelled => &[rejected(Reason::InsufficientBalance)],
    };
    for step in way {
        let _ = desk.decide(&step.of(&order));
    }
    assert_eq!(desk.status(order.order_id), status);
    desk.pass_deadline();
    desk.said.clear();
    (desk, order)
}

fn everything(order: &Order) -> Vec<Happening> {
    let mut all = vec![RequestCancel, TimeOut];
    for reason in Reason::ALL.iter().copied() {
        all.extend([rejected(reason), released(reason), refunded(order, reason)]);
        all.extend([Refused(reason), Undone(reason), Done].map(Parcel));
        all.extend([Refused(reason), Undone(reason), Done].map(Unlock));
    }
    all
}

#[test]
fn an_end_is_an_end() {
    for status in [Status::Completed, Status::Cancelled, Status::Rejected] {
        let (mut desk, order) = desk_at(status);
        let before = desk.register.clone();
        for thing in everything(&order) {
            let says = desk.decide(&thing.of(&order));
            assert!(says.ignored.is_some(), "{thing:?} on {status}");
        }
        assert_eq!(desk.register, before, "{status}");
    }
}

#[test]
fn every_pair_has_its_outcome() {
    use Status::{Cancelled, Cancelling, Completed, Pending};
    let reason = Reason::Discontinued;
    let table: [(Status, Happening, Option<&str>, Status); 18] = [
        (Pending, RequestCancel, Some("OrderCancelRequested"), Cancelling),
        (Pending, TimeOut, Some("OrderTimedOut"), Cancelling),
        (Pending, rejected(reason), Some("OrderCancelled"), Cancelled),
        (Pending, released(reason), Some("OrderCancelled"), Cancelled),
        (Pending, Unlock(Done), Some("OrderCompleted"), Completed),
        (Pending, Unlock(Refused(reason)), None, Cancelling),
        (Pending, Unlock(Undone(reason)), None, Cancelling),
        // The order has no physical items.
        (Pending, Parcel(Done), None, Pending),
        (Pending, Parcel(Refused(reason)), None, Pending),
        (Pending, Parcel(Undone(reason)), None, Pending),
        (Cancelling, RequestCancel, None, Cancelling),
        (Cancelling, TimeOut, None, Cancelling),
        (Cancelling, rejected(reason), Some("OrderCancelled"), Cancelled),
        (Cancelling, released(reason), Some("OrderCancelled"), Cancelled),
        (Cancelling, Unlock(Done), Some("OrderCompleted"), Completed),
        (Cancelling, Unlock(Refused(reason)), None, Cancelling),
        (Cancelling, Unlock(Undone(reason)), None, Cancelling),
        (Cancelling, Parcel(Done), None, Cancelling),
    ];
    for (status, thing, event, next) in table {
        let (mut desk, order) = desk_at(status);
        let says = desk.decide(&thing.of(&order));
        assert_eq!(types(&says), event.into_iter().collect::<Vec<_>>(), "{thing:?} on {status}");
        assert_eq!(desk.status(order.order_id), next, "{thing:?} on {status}");
    }
}

#[test]
fn nothing_but_money_concerns_an_order_that_was_never_heard_of() {
    let (_, order) = Desk::with_order(&[DIGITAL, PHYSICAL]);
    for thing in everything(&order) {
        let mut desk = Desk::new();
        let says = desk.decide(&thing.of(&order));
        if matches!(thing, Happening::Money(_)) {
            assert_eq!(types(&says), ["OrderCancelled"], "{thing:?}");
        } else {
            assert!(says.ignored.is_some(), "{thing:?}");
            assert_eq!(desk.register, Desk::new().register);
        }
    }
}

#[test]
fn an_order_of_one_kind_ends_with_its_money() {
    for (products, reason) in [([DIGITAL], Reason::Discontinued), ([PHYSICAL], Reason::UnshippableAddress)] {
        let (mut desk, order) = Desk::with_order(&products);
        assert_eq!(types(&desk.decide(&refunded(&order, reason).of(&order))), ["OrderCancelled"]);
    }
}

/// Even if nothing had been debited: a refusal by hand of an order that was not ready for it.
#[test]
fn a_mixed_order_with_a_refusal_waits_for_the_other_side_whatever_the_money_says() {
    let (mut desk, order) = Desk::with_order(&[DIGITAL, PHYSICAL]);
    let reason = Reason::UnshippableAddress;
    for (thing, event) in [
        (Parcel(Refused(reason)), None),
        (released(reason), None),
        (released(reason), None),
        (Unlock(Undone(reason)), Some("OrderCancelled")),
    ] {
        assert_eq!(types(&desk.decide(&thing.of(&order))), event.into_iter().collect::<Vec<_>>(), "{thing:?}");
    }
}

#[test]
fn no_order_times_out_before_its_deadline() {
    let (mut desk, order) = Desk::with_order(&[DIGITAL]);
    assert!(desk.decide(&TimeOut.of(&order)).ignored.is_some());
    assert_eq!(desk.status(order.order_id), Status::Pending);
    desk.pass_deadline();
    assert_eq!(types(&desk.decide(&TimeOut.of(&order))), ["OrderTimedOut"]);
}
