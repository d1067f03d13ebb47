//! Operators change the catalogue, the stock, the payment methods and the addresses while an order is in flight; the client
//! reuses its order's id; and orders have several items, the same product twice, or are paid in points.

use std::collections::BTreeSet;

use events::Reason;
use order::Status;

use crate::{
    bus::{Bus, Change, DEARER, Disturbances},
    model::{Ending, explore},
    report::Report,
    shop::{PRICE, Shop},
    wish::{Pay, Wish},
};

/// Every possible end of an order without disturbances, with this total.
fn smooth(total: i64, by_card: bool) -> BTreeSet<Ending> {
    let cancelled = |reason, given_back| Ending { status: Status::Cancelled, reason: Some(reason), given_back };
    let mut endings = BTreeSet::from([Ending { status: Status::Completed, reason: None, given_back: 0 }]);
    for reason in [Reason::CancelledByUser, Reason::TimedOut] {
        endings.extend([cancelled(reason, 0), cancelled(reason, total)]);
    }
    if by_card {
        endings.insert(cancelled(Reason::GatewayUnavailable, 0));
    }
    endings
}

fn no(reason: Reason, given_back: i64) -> Ending {
    let status = if given_back == 0 && reason == Reason::UnknownProduct { Status::Rejected } else { Status::Cancelled };
    Ending { status, reason: Some(reason), given_back }
}

#[test]
fn every_change_at_every_moment() {
    let mut report = Report::of("an order while people change something");
    for pay in [Pay::Wallet, Pay::Card] {
        for change in Change::ALL {
            let (wish, by_card) = (Wish::of(1, 1, pay), pay == Pay::Card);
            let mut expected = smooth(wish.pieces() * PRICE, by_card);
            match change {
                Change::Restocked | Change::Moved => {}
                Change::Dearer => expected.extend(smooth(wish.pieces() * (PRICE + DEARER), by_card)),
                Change::Delisted => drop(expected.insert(no(Reason::UnknownProduct, 0))),
                Change::Discontinued => drop(expected.insert(no(Reason::Discontinued, wish.pieces() * PRICE))),
                Change::NoDelivery => drop(expected.insert(no(Reason::UnshippableAddress, wish.pieces() * PRICE))),
                Change::MethodsGone => drop(expected.insert(no(Reason::InvalidPaymentMethod, 0))),
                // Equivalent to an order by wallet, once the method has become one.
                Change::MethodsReplaced => {}
            }
            let may = Disturbances { changes: vec![change], ..Disturbances::default() };
            let explored = explore(&Shop::default(), &[wish], Bus { may, ..Bus::default() });
            let case = format!("{pay:?}, {change:?}");
            report.add(&case, &explored);
            assert_eq!(explored.endings, expected, "{case}");
        }
    }
    report.print();
}

#[test]
fn several_items_the_same_twice_and_points() {
    let mut report = Report::of("orders of several items");
    let twice = Wish { piecemeal: true, another: 1, ..Wish::of(2, 1, Pay::Card) };
    for wish in [
        twice,
        Wish::of(2, 1, Pay::Wallet).for_points(),
        Wish { pay: Pay::Wallet, ..Wish::of(2, 0, Pay::Wallet).for_points() },
    ] {
        let (case, expected) = (format!("{wish:?}"), smooth(wish.pieces() * PRICE, wish.pay == Pay::Card));
        let explored = explore(&Shop::default(), &[wish], Bus { forgetful: true, ..Bus::default() });
        report.add(&case, &explored);
        assert_eq!(explored.endings, expected, "{case}");
    }
    // No card pays in points.
    let wish = Wish { pay: Pay::Card, ..Wish::of(1, 0, Pay::Card).for_points() };
    let explored = explore(&Shop::default(), &[wish], Bus::default());
    report.add("points by card", &explored);
    assert!(explored.endings.contains(&no(Reason::InvalidPaymentMethod, 0)), "{:?}", explored.endings);
    assert!(!explored.endings.iter().any(|ending| ending.status == Status::Completed), "{:?}", explored.endings);
    report.print();
}

/// The first request to be read becomes the order; the other one changes nothing.
#[test]
fn a_key_used_again() {
    let mut report = Report::of("an order whose name is used again");
    for key in [None, Some("a key")] {
        let wish = Wish { key: key.map(Into::into), ..Wish::of(1, 0, Pay::Wallet) };
        let other = Wish { physical: 2, ..wish.clone() };
        let expected = smooth(PRICE, false).into_iter().chain(smooth(3 * PRICE, false)).collect::<BTreeSet<_>>();
        let may = Disturbances { other_request: Some(other.said(0)), ..Disturbances::default() };
        let explored = explore(&Shop::default(), &[wish], Bus { may, forgetful: true, ..Bus::default() });
        report.add(&format!("{key:?}"), &explored);
        assert_eq!(explored.endings, expected);
    }
    report.print();
}
