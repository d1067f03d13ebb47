use events::{Currency, Item, PaymentMethodId, ProductId, UserId};
use serde_json::json;
use uuid::Uuid;

use super::*;

fn order(kinds: &[Kind]) -> Order {
    let item = |(place, &kind): (usize, &Kind)| Item {
        product_id: ProductId(place as i64),
        quantity: 1,
        unit_price: 100,
        kind,
    };
    Order {
        order_id: OrderId(Uuid::nil()),
        user_id: UserId(1),
        payment_method_id: PaymentMethodId(1),
        currency: Currency::JPY,
        total: 100,
        items: kinds.iter().enumerate().map(item).collect(),
        ship_to: None,
    }
}

fn says(standing: &Standing, kinds: &[Kind]) -> Vec<&'static str> {
    match next(standing, &order(kinds)) {
        Remedy::Say(events) => events.iter().map(|event| event.event_type).collect(),
        Remedy::Person(_) => vec!["person"],
        other => panic!("{other}"),
    }
}

fn standing(order: Option<&str>, steps: [Option<Status>; 5]) -> Standing {
    let [balance, payment, stock, shipment, entitlement] =
        steps.map(|status| status.map(|status| StepState { status, reason: None }));
    let reason = Some(Reason::TimedOut);
    let placed = |status: &str| Placed {
        status: status.to_owned(),
        reason,
        refunded: 0,
        physical: false,
        digital: true,
        overdue: None,
    };
    let order = order.map(placed);
    Standing { order, balance, payment, stock, shipment, entitlement, letter: true, ..Standing::default() }
}

/// The data of the only event in the remedy.
fn data(standing: &Standing) -> (&'static str, Value) {
    match next(standing, &order(&[Kind::Digital])) {
        Remedy::Say(mut events) if events.len() == 1 => {
            let event = events.remove(0);
            (event.event_type, event.data)
        }
        other => panic!("{other}"),
    }
}

#[test]
fn the_way_back_goes_on_where_it_stopped() {
    let digital = [Kind::Digital];
    let at = |balance, payment, stock| standing(Some("CANCELLING"), [balance, payment, stock, None, None]);
    let (held, taken, free) = (Some(Reserved), Some(Confirmed), Some(Cancelled));
    assert_eq!(says(&at(held, held, None), &digital), ["OrderTimedOut"]);
    assert_eq!(says(&at(taken, taken, held), &digital), ["OrderTimedOut"]);
    assert_eq!(says(&at(taken, taken, free), &digital), ["StockReleased"]);
    assert_eq!(says(&at(taken, Some(Refunded), free), &digital), ["PaymentRefunded"]);
    assert_eq!(says(&at(taken, Some(Rejected), free), &digital), ["PaymentDeclined"]);
    assert_eq!(says(&at(Some(Refunded), Some(Refunded), free), &digital), ["BalanceRefunded"]);
    assert_eq!(says(&at(free, free, free), &digital), ["BalanceReleased"]);
    assert_eq!(says(&at(Some(Rejected), free, free), &digital), ["BalanceRejected"]);
}

#[test]
fn a_cancel_that_came_too_late_is_fulfilled() {
    let at = |shipment, entitlement| {
        standing(Some("CANCELLING"), [Some(Confirmed), Some(Confirmed), Some(Confirmed), shipment, entitlement])
    };
    let (mixed, done) = ([Kind::Physical, Kind::Digital], Some(Confirmed));
    assert_eq!(says(&at(None, None), &mixed), ["StockCommitted"]);
    assert_eq!(says(&at(done, done), &mixed), ["ShipmentArranged", "EntitlementGranted"]);
    assert_eq!(says(&at(Some(Rejected), done), &mixed), ["ShipmentRejected"]);
}

/// The order waits for both halves: the remedy repeats the outcome of each, whichever was missed.
#[test]
fn a_half_that_was_taken_back_is_told_again() {
    let at = |shipment, entitlement| {
        let back = Some(Refunded);
        standing(Some("CANCELLING"), [back, back, back, Some(shipment), Some(entitlement)])
    };
    let mixed = [Kind::Physical, Kind::Digital];
    assert_eq!(says(&at(Rejected, Cancelled), &mixed), ["ShipmentRejected", "EntitlementRevoked", "BalanceRefunded"]);
    assert_eq!(says(&at(Cancelled, Rejected), &mixed), ["EntitlementRejected", "ShipmentCancelled", "BalanceRefunded"]);
    assert_eq!(says(&at(Rejected, Rejected), &mixed), ["ShipmentRejected", "EntitlementRejected", "BalanceRefunded"]);
}

#[test]
fn what_is_held_for_an_order_that_has_ended_is_let_go_and_nothing_else_is_told() {
    let at = |balance, payment, stock| standing(Some("CANCELLED"), [balance, payment, stock, None, None]);
    assert_eq!(says(&at(Some(Reserved), None, None), &[Kind::Digital]), ["PaymentVoided"]);
    assert_eq!(says(&at(None, Some(Confirmed), None), &[Kind::Digital]), ["StockReleased"]);
    assert_eq!(says(&at(None, None, Some(Confirmed)), &[Kind::Digital]), ["PaymentCaptureFailed"]);
}

#[test]
fn what_is_held_for_a_complete_order_is_taken() {
    let done = Some(Confirmed);
    for (place, event) in ["StockReserved", "BalanceDebited", "PaymentCaptured"].into_iter().enumerate() {
        let mut steps = [done, done, done, None, done];
        steps[place] = Some(Reserved);
        assert_eq!(says(&standing(Some("COMPLETED"), steps), &[Kind::Digital]), [event]);
    }
    assert_eq!(
        says(&standing(Some("COMPLETED"), [done, done, done, None, None]), &[Kind::Digital]),
        ["StockCommitted"]
    );
}

#[test]
fn a_reservation_without_an_order_is_withdrawn_where_every_cancel_begins() {
    let (event, data) = data(&standing(None, [Some(Reserved), None, None, None, None]));
    assert_eq!((event, &data["reason"]), ("PaymentCaptureFailed", &json!(RECONCILED)));
}

#[test]
fn what_nobody_was_ever_asked_for_is_not_undone() {
    let at = |balance, payment| standing(Some("CANCELLING"), [Some(balance), payment, None, None, None]);
    assert_eq!(says(&at(Rejected, None), &[Kind::Digital]), ["BalanceRejected"]);
    assert_eq!(says(&at(Reserved, Some(Rejected)), &[Kind::Digital]), ["PaymentDeclined"]);
}

/// An order that timed out while an answer was lost fails for the earlier reason, and what was held is released.
#[test]
fn every_event_carries_the_reason_and_the_amount_that_its_service_has_written_down() {
    let (free, back) = (Some(Cancelled), Some(Refunded));
    let with = |step: Option<StepState>, reason| step.map(|step| StepState { reason: Some(reason), ..step });
    let mut seen = standing(Some("CANCELLING"), [Some(Confirmed), Some(Confirmed), Some(Rejected), None, None]);
    seen.stock = with(seen.stock, Reason::OutOfStock);
    assert_eq!(data(&seen), ("StockReleased", json!({"order": order(&[Kind::Digital]), "reason": "out_of_stock"})));

    let mut seen = standing(Some("CANCELLING"), [Some(Reserved), free, free, None, None]);
    seen.payment = with(seen.payment, Reason::CardDeclined);
    assert_eq!(data(&seen).1["reason"], "card_declined");

    let mut seen = standing(Some("CANCELLING"), [back, back, free, None, None]);
    (seen.balance, seen.amount) = (with(seen.balance, Reason::OutOfStock), 70);
    let (event, said) = data(&seen);
    assert_eq!((event, &said["reason"], &said["amount"]), ("BalanceRefunded", &json!("out_of_stock"), &json!(70)));

    // Inventory receives the original cause.
    for (reason, event) in [(Reason::CancelledByUser, "OrderCancelRequested"), (Reason::TimedOut, "OrderTimedOut")] {
        let mut seen = standing(Some("CANCELLING"), [Some(Reserved), None, None, None, None]);
        seen.order.as_mut().expect("placed").reason = Some(reason);
        assert_eq!(data(&seen).0, event);
    }
}

#[test]
fn a_buyer_without_a_mail_gets_the_one_that_is_missing() {
    let done = Some(Confirmed);
    let untold = |status, steps, reason, refunded| {
        let mut seen = Standing { letter: false, ..standing(Some(status), steps) };
        let placed = seen.order.as_mut().expect("placed");
        (placed.reason, placed.refunded) = (reason, refunded);
        data(&seen)
    };
    assert_eq!(untold("COMPLETED", [done, done, done, None, done], None, 0).0, "OrderCompleted");
    let back = Some(Refunded);
    let (event, said) = untold("CANCELLED", [back, back, back, None, Some(Rejected)], Some(Reason::Discontinued), 100);
    assert_eq!((event, &said["reason"], &said["refunded"]), ("OrderCancelled", &json!("discontinued"), &json!(100)));
    let (event, said) = untold("REJECTED", [None; 5], Some(Reason::UnknownProduct), 0);
    assert_eq!((event, &said["reason"]), ("OrderRejected", &json!("unknown_product")));
    // The end of an order is not published while its money is still held.
    assert_eq!(untold("CANCELLED", [Some(Reserved), None, None, None, None], None, 0).0, "PaymentVoided");
}

#[test]
fn goods_that_are_handed_out_are_a_persons_business() {
    let done = Some(Confirmed);
    assert_eq!(says(&standing(None, [done, done, done, None, done]), &[Kind::Digital]), ["person"]);
    assert_eq!(says(&standing(Some("CANCELLED"), [None, None, None, done, None]), &[Kind::Physical]), ["person"]);
    assert_eq!(
        says(&standing(Some("COMPLETED"), [Some(Refunded), done, done, None, done]), &[Kind::Digital]),
        ["person"]
    );
}
