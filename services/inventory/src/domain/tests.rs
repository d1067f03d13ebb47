use events::testing::{digital, order, physical};
use proptest::prelude::*;

use super::*;

const OPENING: i64 = 10;
const RESERVE: Ask = Ask::Reserve;
const COMMIT: Ask = Ask::Commit;
const TAKE_BACK: Ask = Ask::TakeBack(Reason::UnshippableAddress);
const WITHDRAW: Ask = Ask::Withdraw(Reason::CancelledByUser);

/// Ten pieces of the products 1, 2 and 3.
fn warehouse() -> Warehouse {
    let stock = (1..=3).map(|id| (ProductId(id), Stock { quantity: OPENING, reserved: 0 }));
    Warehouse { stock: Rows::loaded(stock), ..Warehouse::default() }
}

/// A warehouse in which the order already has this status.
fn warehouse_with(order: &Order, status: Option<Status>) -> Warehouse {
    let mut warehouse = warehouse();
    let Some(status) = status else { return warehouse };
    warehouse.note(order, status, None);
    warehouse.change(order, |stock, quantity| match status {
        Status::Reserved => stock.reserved += quantity,
        Status::Confirmed => stock.quantity -= quantity,
        Status::Cancelled | Status::Refunded | Status::Rejected => {}
    });
    Warehouse { stock: warehouse.stock.saved(), reservations: warehouse.reservations.saved() }
}

fn ask(warehouse: &mut Warehouse, order: &Order, ask: Ask) -> Says {
    decide(warehouse, &Command::new(order.clone(), ask))
}

fn said(says: &Says) -> Vec<&'static str> {
    says.events.iter().map(|said| said.event_type).collect()
}

/// No stock is lost: what is held and what was committed equals the reservations.
fn assert_balanced(warehouse: &Warehouse) {
    for (product, stock) in warehouse.stock.iter() {
        let pieces = |status| -> i64 {
            let reservations = warehouse.reservations.iter().filter(|(_, held)| held.status == status);
            reservations.filter_map(|(_, held)| held.items.get(product)).sum()
        };
        assert_eq!(stock.reserved, pieces(Status::Reserved), "held of product {product}");
        assert_eq!(stock.quantity + pieces(Status::Confirmed), OPENING, "left and taken of product {product}");
        assert!(0 <= stock.reserved && stock.reserved <= stock.quantity, "{stock:?} of product {product}");
    }
}

/// Missing stock: nothing could be committed or returned, so no event is published.
#[test]
fn what_cannot_be_done_is_not_said_to_be_done() {
    let order = order([digital(1, 1), physical(2, 1)]);
    for (status, asked) in [
        (Status::Reserved, COMMIT),
        (Status::Reserved, TAKE_BACK),
        (Status::Reserved, WITHDRAW),
        (Status::Confirmed, TAKE_BACK),
    ] {
        let mut warehouse = warehouse_with(&order, Some(status));
        let left = warehouse.stock.iter().filter(|(id, _)| id.0 != 2).map(|(id, stock)| (*id, *stock));
        warehouse.stock = Rows::loaded(left.collect::<Vec<_>>());
        let before = warehouse.clone();
        let says = ask(&mut warehouse, &order, asked);
        assert!(says.impossible.is_some_and(|why| why.contains("product 2")), "{asked:?} of {status:?}");
        assert!(says.events.is_empty() && warehouse == before, "{asked:?} of {status:?}");
    }
}

#[test]
fn every_status_and_every_ask_have_an_outcome() {
    use Status::{Cancelled, Confirmed, Refunded, Rejected, Reserved};
    type Line = (Option<Status>, Ask, Option<Status>, &'static [&'static str]);
    let table: [Line; 24] = [
        (None, RESERVE, Some(Reserved), &["StockReserved"]),
        (None, COMMIT, None, &[]),
        (None, TAKE_BACK, Some(Cancelled), &["StockReleased"]),
        (None, WITHDRAW, Some(Cancelled), &["StockReleased"]),
        (Some(Reserved), RESERVE, Some(Reserved), &[]),
        (Some(Reserved), COMMIT, Some(Confirmed), &["StockCommitted"]),
        (Some(Reserved), TAKE_BACK, Some(Cancelled), &["StockReleased"]),
        (Some(Reserved), WITHDRAW, Some(Cancelled), &["StockReleased"]),
        (Some(Confirmed), RESERVE, Some(Confirmed), &[]),
        (Some(Confirmed), COMMIT, Some(Confirmed), &[]),
        (Some(Confirmed), TAKE_BACK, Some(Refunded), &["StockReleased"]),
        (Some(Confirmed), WITHDRAW, Some(Confirmed), &[]),
        (Some(Cancelled), RESERVE, Some(Cancelled), &[]),
        (Some(Cancelled), COMMIT, Some(Cancelled), &[]),
        (Some(Cancelled), TAKE_BACK, Some(Cancelled), &[]),
        (Some(Cancelled), WITHDRAW, Some(Cancelled), &[]),
        (Some(Refunded), RESERVE, Some(Refunded), &[]),
        (Some(Refunded), COMMIT, Some(Refunded), &[]),
        (Some(Refunded), TAKE_BACK, Some(Refunded), &[]),
        (Some(Refunded), WITHDRAW, Some(Refunded), &[]),
        (Some(Rejected), RESERVE, Some(Rejected), &[]),
        (Some(Rejected), COMMIT, Some(Rejected), &[]),
        (Some(Rejected), TAKE_BACK, Some(Rejected), &[]),
        (Some(Rejected), WITHDRAW, Some(Rejected), &[]),
    ];
    for (before, asked, after, says) in table {
        let order = order([physical(1, 2), digital(2, 3)]);
        let mut warehouse = warehouse_with(&order, before);
        let untouched = warehouse.clone();
        let outcome = ask(&mut warehouse, &order, asked);
        assert_eq!(said(&outcome), says, "{asked:?} on {before:?}");
        assert_balanced(&warehouse);
        if says.is_empty() {
            assert!(outcome.ignored.is_some(), "{asked:?} on {before:?} says why it does nothing");
            assert_eq!(warehouse, untouched, "{asked:?} on {before:?}");
        } else {
            let held = warehouse.reservations.get(&order.order_id).expect("it is written down");
            assert_eq!(held.items, quantities(&order), "every item is written down");
        }
        let status = warehouse.reservations.get(&order.order_id).map(|held| held.status);
        assert_eq!(status, after, "{asked:?} on {before:?}");
    }
}

#[test]
fn all_items_or_none() {
    let mut warehouse = warehouse();
    let order = order([physical(1, 1), physical(2, OPENING + 1), physical(3, OPENING + 1)]);
    let says = ask(&mut warehouse, &order, RESERVE);
    let first = StockRejected { order: order.clone(), reason: Reason::OutOfStock, product_id: ProductId(2) };
    assert_eq!(says, Says::event(first));
    assert_balanced(&warehouse);
    let held = warehouse.reservations.get(&order.order_id).expect("the refusal is written down");
    assert_eq!((held.status, held.reason, held.items.len()), (Status::Rejected, Some(Reason::OutOfStock), 3));
}

#[test]
fn an_unknown_product_is_refused_by_name() {
    let mut warehouse = warehouse();
    let order = order([physical(1, 1), physical(77, 1)]);
    let says = ask(&mut warehouse, &order, RESERVE);
    let reason = Reason::UnknownProduct;
    assert_eq!(says, Says::event(StockRejected { order, reason, product_id: ProductId(77) }));
    assert_balanced(&warehouse);
}

#[test]
fn what_is_held_for_one_is_not_there_for_another() {
    let mut warehouse = warehouse();
    let orders = [order([physical(1, 6)]), order([physical(1, 6)])];
    assert_eq!(said(&ask(&mut warehouse, &orders[0], RESERVE)), ["StockReserved"]);
    assert_eq!(said(&ask(&mut warehouse, &orders[1], RESERVE)), ["StockRejected"]);
    assert_balanced(&warehouse);
}

#[test]
fn the_reason_travels_on() {
    for (asked, reason) in [(TAKE_BACK, Reason::UnshippableAddress), (WITHDRAW, Reason::CancelledByUser)] {
        for before in [None, Some(Status::Reserved)] {
            let order = order([physical(1, 1)]);
            let mut warehouse = warehouse_with(&order, before);
            let says = ask(&mut warehouse, &order, asked);
            assert_eq!(says, Says::event(StockReleased { order: order.clone(), reason }));
            assert_eq!(warehouse.reservations.get(&order.order_id).and_then(|held| held.reason), Some(reason));
        }
    }
}

/// The reserved items count, even if a later event names others.
#[test]
fn as_much_comes_back_as_was_taken() {
    let reserved = order([physical(1, 2)]);
    let mut warehouse = warehouse_with(&reserved, Some(Status::Confirmed));
    let forged = Order { items: vec![physical(1, 5), physical(2, 5)], ..reserved };
    assert_eq!(said(&ask(&mut warehouse, &forged, TAKE_BACK)), ["StockReleased"]);
    assert_balanced(&warehouse);
}

#[test]
fn nonsense_is_refused() {
    for items in [vec![], vec![physical(1, 0)], vec![physical(1, -1)], vec![physical(1, 1), digital(1, 1)]] {
        let mut warehouse = warehouse();
        for asked in [RESERVE, COMMIT, TAKE_BACK, WITHDRAW] {
            assert!(ask(&mut warehouse, &order(items.clone()), asked).refused.is_some(), "{asked:?} {items:?}");
        }
        assert_eq!(warehouse, self::warehouse());
    }
}

proptest! {
    /// Whatever the commands and their order, no stock is lost, and what has been undone stays undone.
    #[test]
    fn nothing_is_lost(
        baskets in prop::collection::vec((1..=6i64, 0..=6i64), 4),
        asks in prop::collection::vec((0..4usize, prop::sample::select(vec![RESERVE, COMMIT, TAKE_BACK, WITHDRAW])), 0..60),
    ) {
        let mut warehouse = warehouse();
        let orders: Vec<Order> = baskets
            .into_iter()
            .map(|(one, two)| order([physical(1, one), digital(2, two)].into_iter().filter(|item| item.quantity > 0)))
            .collect();
        for (which, asked) in asks {
            let order = &orders[which];
            let _said = ask(&mut warehouse, order, asked);
            assert_balanced(&warehouse);
            if matches!(asked, TAKE_BACK) {
                let status = warehouse.reservations.get(&order.order_id).map(|held| held.status);
                prop_assert!(
                    matches!(status, Some(Status::Cancelled | Status::Refunded | Status::Rejected)), "{:?}", status
                );
            }
        }
    }
}
