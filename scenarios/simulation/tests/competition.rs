//! Orders that compete for money or stock, exhaustively: in every order of deliveries, with a cancellation and a deadline at
//! every moment.

use std::{io::Write, time::Instant};

use saga_check::Report;
use simulation::{
    Case,
    shop::{PRICE, Shop},
    wish::{Pay, Wish},
};

const CANCELLED: &str = "OrderCancelled";
const COMPLETED: &str = "OrderCompleted";

/// Explores orders of one piece each, and says how many states there are.
fn explored(what: &str, orders: usize, shop: Shop) -> Report {
    let begun = Instant::now();
    let wishes = vec![Wish::of(1, 0, Pay::Wallet); orders];
    let report = Case::new(shop, wishes).check().reduced().at_most(10_000_000).explore();
    report.assert_holds();
    let (states, steps, seconds) = (report.states, report.steps, begun.elapsed().as_secs_f64());
    writeln!(std::io::stderr(), "{what}: {states} states, {steps} steps in {seconds:.1} s")
        .expect("stderr takes a line");
    report
}

fn money_for(orders: i64) -> Shop {
    Shop { deposit: orders * PRICE, ..Shop::default() }
}

fn stock_for(orders: i64) -> Shop {
    Shop { received: Some(orders), ..Shop::default() }
}

/// Every number of orders that may be completed, up to the number there is enough for; never more.
#[track_caller]
fn assert_completed(report: &Report, orders: usize, enough_for: usize) {
    let endings = (0..=enough_for).map(|completed| {
        let cancelled = std::iter::repeat_n(CANCELLED, orders - completed);
        cancelled.chain(std::iter::repeat_n(COMPLETED, completed)).collect::<Vec<_>>()
    });
    let mut endings: Vec<_> = endings.collect();
    endings.sort();
    assert_eq!(report.endings.keys().cloned().collect::<Vec<_>>(), endings);
}

/// The reduced search against the full one, on the shop itself.
#[test]
fn two_orders_with_money_for_one_and_in_all_states() {
    for (what, orders) in [("one order, money for it", 1), ("two orders, money for one", 2)] {
        let reduced = explored(what, orders, money_for(1));
        assert_completed(&reduced, orders, 1);
        let all = Case::new(money_for(1), vec![Wish::of(1, 0, Pay::Wallet); orders]).check().explore();
        all.assert_holds();
        assert_completed(&all, orders, 1);
        assert!(all.states > reduced.states, "{} and {}", all.states, reduced.states);
        writeln!(std::io::stderr(), "{what}: {} states in all", all.states).expect("stderr takes a line");
    }
}

#[test]
fn three_orders_with_money_for_two() {
    assert_completed(&explored("three orders, money for two", 3, money_for(2)), 3, 2);
}

#[test]
fn three_orders_with_stock_for_two() {
    assert_completed(&explored("three orders, stock for two", 3, stock_for(2)), 3, 2);
}

/// Where the gateway is of one mind with itself: see `interleavings` for one that is not.
#[test]
fn one_order_by_card() {
    let report = Case::new(Shop::default(), vec![Wish::of(1, 1, Pay::Card)]).check().explore();
    report.assert_holds();
    assert_eq!(report.endings.keys().cloned().collect::<Vec<_>>(), [vec![CANCELLED], vec![COMPLETED]]);
}
