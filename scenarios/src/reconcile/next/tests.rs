use events::{Currency, Item, PaymentMethodId, ProductId, UserId};
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
    let [balance, payment, stock, shipment, entitlement] = steps;
    Standing { order: order.map(str::to_owned), reason: None, balance, payment, stock, shipment, entitlement }
}

#[test]
fn the_way_back_goes_on_where_it_stopped() {
    let digital = [Kind::Digital];
    let at = |balance, payment, stock| standing(Some("CANCELLING"), [balance, payment, stock, None, None]);
    let (held, taken, free) = (Some(Reserved), Some(Confirmed), Some(Cancelled));
    assert_eq!(says(&at(held, held, None), &digital), ["OrderTimedOut"]);
    assert_eq!(says(&at(taken, taken, held), &digital), ["OrderTimedOut"]);
    assert_eq!(says(&at(taken, taken, free), &digital), ["StockReleased"]);
    assert_eq!(says(&at(taken, Some(Refunded), free), &digital), ["PaymentVoided"]);
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
    assert_eq!(says(&standing(None, [Some(Reserved), None, None, None, None]), &[Kind::Digital]), ["OrderTimedOut"]);
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
