//! Two orders that compete for the same resource: the second goes without, and nothing is given to both or lost between them.

use std::collections::BTreeSet;

use events::Reason;
use order::Status;

use crate::{
    bus::Bus,
    model::{Ending, explore},
    report::Report,
    shop::{NOWHERE, PRICE, Shop},
    wish::{Pay, Wish},
};

const DIGITAL: Wish = Wish::of(1, 0, Pay::Wallet);
const PHYSICAL: Wish = Wish::of(0, 1, Pay::Wallet);
const MIXED: Wish = Wish::of(1, 1, Pay::Wallet);

#[test]
fn money_for_one() {
    let shop = Shop { deposit: PRICE, ..Shop::default() };
    let endings = compete("two orders, money for one", &shop, &[DIGITAL, DIGITAL]);
    assert!(has(&endings, Status::Completed, None));
    assert!(has(&endings, Status::Cancelled, Some(Reason::InsufficientBalance)));
}

#[test]
fn stock_for_one() {
    let shop = Shop { received: Some(1), ..Shop::default() };
    let endings = compete("two orders, stock for one", &shop, &[DIGITAL, DIGITAL]);
    assert!(has(&endings, Status::Completed, None));
    assert!(has(&endings, Status::Cancelled, Some(Reason::OutOfStock)));
}

#[test]
#[ignore = "larger: about half a minute"]
fn stock_for_one_and_a_card() {
    let shop = Shop { received: Some(1), ..Shop::default() };
    compete("two orders, one by card, stock for one", &shop, &[DIGITAL, Wish { pay: Pay::Card, ..DIGITAL }]);
}

#[test]
#[ignore = "larger: about half a minute"]
fn two_mixed_orders() {
    let shop = Shop { received: Some(1), ..Shop::default() };
    compete("two mixed orders, stock for one", &shop, &[MIXED, Wish { pay: Pay::Card, ..MIXED }]);
}

#[test]
#[ignore = "larger: about half a minute"]
fn one_that_is_refused_and_gives_back_what_the_other_needs() {
    let shop = Shop { deposit: 2 * PRICE, unlocks: Some(false), ..Shop::default() };
    let endings = compete("two orders, money for one, a mixed one refused", &shop, &[MIXED, PHYSICAL]);
    assert!(has(&endings, Status::Completed, None));
}

#[test]
#[ignore = "larger: a few minutes"]
fn one_that_both_sides_refuse() {
    let shop = Shop { received: Some(1), unlocks: Some(false), ..Shop::default() };
    let refused = Wish { ship_to: NOWHERE.into(), ..MIXED };
    compete("two orders, stock for one, a mixed one refused by both sides", &shop, &[refused, PHYSICAL]);
}

fn compete(what: &str, shop: &Shop, wishes: &[Wish]) -> BTreeSet<Ending> {
    let mut report = Report::of(what);
    let explored = explore(shop, wishes, Bus { forgetful: true, ..Bus::default() });
    report.add(what, &explored);
    report.print();
    explored.endings
}

fn has(endings: &BTreeSet<Ending>, status: Status, reason: Option<Reason>) -> bool {
    endings.iter().any(|ending| (ending.status, ending.reason) == (status, reason))
}
