//! A payment provider that acts on its own, and operators who handle what is stuck: every order ends, in full or not at all, and
//! no healthy one is harmed.

use std::collections::BTreeSet;

use events::Reason;
use order::Status;
use payment_gateway::payment::Operation;

use crate::{
    bus::{Bus, Disturbances, LEDGER_FIRST_ORDERS_LAST},
    model::{Ending, explore},
    report::Report,
    shop::{NOWHERE, PRICE, Shop},
    wish::{Pay, Wish},
};

const BY_WALLET: Wish = Wish::of(1, 0, Pay::Wallet);
const BY_CARD: Wish = Wish::of(1, 0, Pay::Card);

/// Asserts that every law holds for each of the wishes; returns their ends.
fn explore_all(what: &str, wishes: &[Wish], may: &Disturbances) -> BTreeSet<Ending> {
    let mut report = Report::of(what);
    let mut endings = BTreeSet::new();
    for wish in wishes {
        let bus = Bus { may: may.clone(), ..Bus::default() };
        let explored = explore(&Shop::default(), std::slice::from_ref(wish), bus);
        report.add(&format!("{what}, {wish:?}"), &explored);
        endings.extend(explored.endings);
    }
    report.print();
    endings
}

/// Asserts that a card order ends as it may without disturbances, or with a card that no longer pays.
fn assert_ordinary(endings: &BTreeSet<Ending>) {
    let cancelled = |reason, given_back| Ending { status: Status::Cancelled, reason: Some(reason), given_back };
    let mut ordinary = BTreeSet::from([Ending { status: Status::Completed, reason: None, given_back: 0 }]);
    for reason in [Reason::CancelledByUser, Reason::TimedOut] {
        ordinary.extend([cancelled(reason, 0), cancelled(reason, PRICE)]);
    }
    ordinary.extend([cancelled(Reason::GatewayUnavailable, 0), cancelled(Reason::CardDeclined, PRICE)]);
    assert_eq!(*endings, ordinary);
}

/// It voids, captures and refunds at any moment, each once.
#[test]
fn a_provider_with_a_will_of_its_own() {
    let all = [Operation::Void, Operation::Capture, Operation::Refund];
    for provider in [&all[..1], &all[1..2], &all[2..], &all] {
        let may = Disturbances { provider: provider.to_vec(), ..Disturbances::default() };
        let endings =
            explore_all(&format!("an order and a provider that does {provider:?} by itself"), &[BY_CARD], &may);
        if provider.contains(&Operation::Void) {
            assert_ordinary(&endings);
        }
    }
}

/// A call is never answered; operators retry it, answer it, or drop it.
#[test]
fn a_call_that_waits_for_an_operator() {
    let provider = vec![Operation::Void, Operation::Capture, Operation::Refund];
    let may = Disturbances { provider, calls_park: true, ..Disturbances::default() };
    let endings =
        explore_all("an order whose call is parked", &[BY_CARD, Wish { pay: Pay::FaithlessCard, ..BY_CARD }], &may);
    assert_ordinary(&endings);
}

/// A service cannot process an event, and later events wait behind it. Operators retry or resolve it; then reconcile publishes
/// what is missing.
#[test]
fn an_event_that_waits_for_an_operator() {
    let may = Disturbances { parks: true, repairs: true, ..Disturbances::default() };
    let endings = explore_all("an order with a parked event", &[BY_WALLET, BY_CARD], &may);
    assert!(endings.iter().any(|ending| ending.status == Status::Completed), "{endings:?}");
}

/// Any single event fails to reach any single service: reconcile publishes it anew, with the same reason, and the mail is written
/// too.
#[test]
fn an_event_that_is_lost() {
    let may = Disturbances { loses: true, repairs: true, ..Disturbances::default() };
    let unshippable = Wish { ship_to: NOWHERE.into(), ..Wish::of(1, 1, Pay::Wallet) };
    let endings = explore_all("an order with a lost event", &[BY_WALLET, BY_CARD, unshippable], &may);
    assert!(endings.iter().any(|ending| ending.status == Status::Completed), "{endings:?}");
}

/// Reconcile reads one service after another while the order is in flight, takes it for long overdue, and acts late.
#[test]
fn reconcile_on_a_living_system() {
    let may = Disturbances { torn: Some(LEDGER_FIRST_ORDERS_LAST), ..Disturbances::default() };
    let endings = explore_all("an order that reconcile looks at", &[BY_WALLET], &may);
    assert!(endings.iter().any(|ending| ending.status == Status::Completed), "{endings:?}");
}

#[test]
#[ignore = "larger: a few minutes"]
fn reconcile_on_an_order_by_card() {
    let may = Disturbances { torn: Some(LEDGER_FIRST_ORDERS_LAST), ..Disturbances::default() };
    explore_all("an order by card that reconcile looks at", &[BY_CARD], &may);
}
