//! Whatever the order of arrival, an order ends once, and correctly.

use events::{Order, Reason};
use order::{Money, Status, Turn};

use crate::desk::{DIGITAL, Desk, Happening, PHYSICAL, refunded, rejected, released};
use Happening::{Parcel, RequestCancel, TimeOut, Unlock};
use Turn::{Done, Refused, Undone};

/// All permutations.
fn permutations(things: &[Happening]) -> Vec<Vec<Happening>> {
    let Some((first, rest)) = things.split_first() else { return vec![Vec::new()] };
    permutations(rest)
        .into_iter()
        .flat_map(|rest| {
            (0..=rest.len()).map(move |place| {
                let mut all = rest.clone();
                all.insert(place, *first);
                all
            })
        })
        .collect()
}

struct Ending {
    status: Status,
    reason: Option<Reason>,
    refunded: i64,
}

/// Gives `things` to the desk in every order, each once and each twice.
fn always(products: &[i64], things: impl Fn(&Order) -> Vec<Happening>, end: impl Fn(&Order) -> Ending) {
    let (_, template) = Desk::with_order(products);
    for arrival in permutations(&things(&template)) {
        for times in [1, 2] {
            let (mut desk, order) = Desk::with_order(products);
            desk.pass_deadline();
            for thing in &arrival {
                for _ in 0..times {
                    let _ = desk.decide(&thing.of(&order));
                }
            }
            let Ending { status, reason, refunded } = end(&order);
            let purchase = desk.purchase(order.order_id);
            assert_eq!((purchase.status, purchase.reason), (status, reason), "{times} × {arrival:?}");
            let back = match purchase.money {
                Money::Open => 0,
                Money::Settled { refunded, .. } => refunded,
            };
            assert_eq!(back, refunded, "{times} × {arrival:?}");
            let ends: Vec<_> =
                desk.said.iter().filter(|said| matches!(**said, "OrderCompleted" | "OrderCancelled")).collect();
            let wanted = if status == Status::Completed { "OrderCompleted" } else { "OrderCancelled" };
            assert_eq!(ends, [&wanted], "{times} × {arrival:?}");
        }
    }
}

fn cancelled(reason: Reason) -> impl Fn(&Order) -> Ending {
    move |_| Ending { status: Status::Cancelled, reason: Some(reason), refunded: 0 }
}

fn given_back(reason: Reason) -> impl Fn(&Order) -> Ending {
    move |order| Ending { status: Status::Cancelled, reason: Some(reason), refunded: order.total }
}

fn completed(_: &Order) -> Ending {
    Ending { status: Status::Completed, reason: None, refunded: 0 }
}

const KINDS: [&[i64]; 3] = [&[DIGITAL], &[PHYSICAL], &[DIGITAL, PHYSICAL]];

#[test]
fn completed_when_everything_is_handed_out_however_late_the_cancel() {
    for meanwhile in [vec![], vec![RequestCancel], vec![TimeOut], vec![RequestCancel, TimeOut]] {
        let with = |things: &[Happening]| [things, &meanwhile].concat();
        always(&[DIGITAL], |_| with(&[Unlock(Done)]), completed);
        always(&[PHYSICAL], |_| with(&[Parcel(Done)]), completed);
        always(&[DIGITAL, PHYSICAL], |_| with(&[Unlock(Done), Parcel(Done)]), completed);
    }
}

#[test]
fn cancelled_when_a_try_failed() {
    for products in KINDS {
        for reason in [Reason::InsufficientBalance, Reason::UnknownUser] {
            always(products, |_| vec![rejected(reason)], cancelled(reason));
        }
        // `unknown_product` from inventory is not a refusal of fulfilment, so the order waits for nothing more.
        for reason in [Reason::OutOfStock, Reason::UnknownProduct, Reason::CardDeclined, Reason::GatewayUnavailable] {
            always(products, |_| vec![released(reason)], cancelled(reason));
            always(products, |_| vec![released(reason), RequestCancel, TimeOut], cancelled(reason));
        }
    }
}

#[test]
fn cancelled_when_the_buyer_or_the_clock_came_in_time() {
    for products in KINDS {
        for (asked, reason) in [(RequestCancel, Reason::CancelledByUser), (TimeOut, Reason::TimedOut)] {
            always(products, |_| vec![asked, released(reason)], cancelled(reason));
            always(products, |order| vec![asked, refunded(order, reason)], given_back(reason));
        }
    }
}

#[test]
fn cancelled_when_the_capture_failed() {
    for products in KINDS {
        let reason = Reason::GatewayUnavailable;
        always(products, |order| vec![refunded(order, reason)], given_back(reason));
    }
}

#[test]
fn cancelled_when_the_only_side_refused() {
    for meanwhile in [vec![], vec![RequestCancel], vec![RequestCancel, TimeOut]] {
        let reason = Reason::UnshippableAddress;
        let things =
            |order: &Order| [vec![Parcel(Refused(reason)), refunded(order, reason)], meanwhile.clone()].concat();
        always(&[PHYSICAL], things, given_back(reason));
        for reason in [Reason::Discontinued, Reason::UnknownProduct] {
            let things =
                |order: &Order| [vec![Unlock(Refused(reason)), refunded(order, reason)], meanwhile.clone()].concat();
            always(&[DIGITAL], things, given_back(reason));
        }
    }
}

/// Events of a mixed order that shipping, entitlement or both have refused.
fn mixed_failures(order: &Order) -> Vec<(Reason, Vec<Happening>)> {
    let unshippable = Reason::UnshippableAddress;
    let mut failures = vec![
        (unshippable, vec![Parcel(Refused(unshippable)), Unlock(Done), Unlock(Undone(unshippable))]),
        (unshippable, vec![Parcel(Refused(unshippable)), Unlock(Undone(unshippable))]),
        (unshippable, vec![Parcel(Refused(unshippable)), Unlock(Refused(Reason::Discontinued))]),
    ];
    for gone in [Reason::Discontinued, Reason::UnknownProduct] {
        failures.push((gone, vec![Unlock(Refused(gone)), Parcel(Done), Parcel(Undone(gone))]));
        failures.push((gone, vec![Unlock(Refused(gone)), Parcel(Undone(gone))]));
        failures.push((gone, vec![Unlock(Refused(gone)), Parcel(Refused(unshippable))]));
    }
    for (reason, things) in &mut failures {
        things.push(refunded(order, *reason));
    }
    failures
}

#[test]
fn a_mixed_order_is_cancelled_once_however_its_failure_arrives() {
    let (_, template) = Desk::with_order(&[DIGITAL, PHYSICAL]);
    for meanwhile in [vec![], vec![RequestCancel], vec![TimeOut]] {
        for (reason, things) in mixed_failures(&template) {
            let things = [things, meanwhile.clone()].concat();
            always(&[DIGITAL, PHYSICAL], |_| things.clone(), given_back(reason));
        }
    }
}

#[test]
fn a_mixed_order_ends_only_when_both_sides_and_the_money_are_settled() {
    let (_, template) = Desk::with_order(&[DIGITAL, PHYSICAL]);
    for (_, things) in mixed_failures(&template) {
        for arrival in permutations(&things) {
            let (mut desk, order) = Desk::with_order(&[DIGITAL, PHYSICAL]);
            let mut arrived = Vec::new();
            for thing in &arrival {
                let _ = desk.decide(&thing.of(&order));
                arrived.push(*thing);
                let money = arrived.iter().any(|thing| matches!(thing, Happening::Money(_)));
                let parcel = arrived.iter().any(|thing| matches!(thing, Parcel(Refused(_) | Undone(_))));
                let unlock = arrived.iter().any(|thing| matches!(thing, Unlock(Refused(_) | Undone(_))));
                let ended = desk.status(order.order_id) == Status::Cancelled;
                assert_eq!(ended, money && parcel && unlock, "after {arrived:?}");
            }
        }
    }
}

#[test]
fn a_compensation_without_an_order_ends_it_at_once() {
    for products in KINDS {
        let (_, order) = Desk::with_order(products);
        for things in [
            vec![rejected(Reason::UnknownUser)],
            vec![released(Reason::UnshippableAddress), Parcel(Refused(Reason::UnshippableAddress))],
            vec![refunded(&order, Reason::Discontinued), Unlock(Refused(Reason::Discontinued)), RequestCancel, TimeOut],
        ] {
            for arrival in permutations(&things) {
                let mut desk = Desk::new();
                for thing in &arrival {
                    let _ = desk.decide(&thing.of(&order));
                }
                assert_eq!(desk.said, ["OrderCancelled"], "{arrival:?}");
                assert_eq!(desk.status(order.order_id), Status::Cancelled);
            }
        }
    }
}
