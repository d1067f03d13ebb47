//! Troubles that an order can have, and how it may end because of them.

use std::collections::BTreeSet;

use events::Reason;
use order::Status;

use crate::{
    model::Ending,
    shop::{NOWHERE, STRANGER, Shop},
    wish::{Pay, Wish},
};

/// An obstacle to an order.
pub(crate) struct Trouble {
    pub(crate) what: &'static str,
    /// The service that refuses.
    stops_at: Stop,
    /// The reasons; more than one if more than one service refuses.
    reasons: &'static [Reason],
    /// Tells whether such an order can have it.
    pub(crate) concerns: fn(&Wish) -> bool,
    /// Applies it to the shop or the wish.
    pub(crate) befall: fn(&mut Shop, &mut Wish),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stop {
    Order,
    Account,
    /// At the authorization.
    Payment,
    Inventory,
    /// The balance has been debited by then.
    Capture,
    Fulfilment,
    Nowhere,
}

const fn trouble(
    what: &'static str,
    stops_at: Stop,
    reasons: &'static [Reason],
    concerns: fn(&Wish) -> bool,
    befall: fn(&mut Shop, &mut Wish),
) -> Trouble {
    Trouble { what, stops_at, reasons, concerns, befall }
}

/// One for every way in which a service can refuse.
pub(crate) const TROUBLES: [Trouble; 14] = [
    trouble("no trouble", Stop::Nowhere, &[], |_| true, |_, _| {}),
    trouble(
        "nothing asked for",
        Stop::Order,
        &[Reason::InvalidRequest],
        |_| true,
        |_, wish| {
            (wish.digital, wish.physical) = (0, 0);
        },
    ),
    trouble("unknown user", Stop::Account, &[Reason::UnknownUser], |_| true, |_, wish| wish.user = STRANGER),
    trouble("too little money", Stop::Account, &[Reason::InsufficientBalance], |_| true, |shop, _| shop.deposit = 99),
    trouble("no such method", Stop::Payment, &[Reason::InvalidPaymentMethod], by_wallet, |_, wish| {
        wish.pay = Pay::Nothing;
    }),
    trouble("declined card", Stop::Payment, &[Reason::CardDeclined], by_card, |_, wish| wish.pay = Pay::DeclinedCard),
    trouble("a provider that breaks down", Stop::Payment, &[Reason::GatewayUnavailable], alone_by_card, |shop, _| {
        (shop.deposit, shop.price) = (10_000, payment_gateway::ledger::BOMB);
    }),
    trouble("out of stock", Stop::Inventory, &[Reason::OutOfStock], |_| true, |shop, _| shop.received = Some(0)),
    trouble("never stocked", Stop::Inventory, &[Reason::UnknownProduct], |_| true, |shop, _| shop.received = None),
    trouble("a card that does not pay", Stop::Capture, &[Reason::CardDeclined], by_card, |_, wish| {
        wish.pay = Pay::FaithlessCard;
    }),
    trouble("unshippable", Stop::Fulfilment, &[Reason::UnshippableAddress], physical, |_, wish| {
        wish.ship_to = NOWHERE.into()
    }),
    trouble("discontinued", Stop::Fulfilment, &[Reason::Discontinued], digital, |shop, _| shop.unlocks = Some(false)),
    trouble("never unlocked", Stop::Fulfilment, &[Reason::UnknownProduct], digital, |shop, _| shop.unlocks = None),
    trouble(
        "both refuse",
        Stop::Fulfilment,
        &[Reason::UnshippableAddress, Reason::Discontinued],
        mixed,
        |shop, wish| {
            (shop.unlocks, wish.ship_to) = (Some(false), NOWHERE.into());
        },
    ),
];

fn by_wallet(wish: &Wish) -> bool {
    wish.pay == Pay::Wallet
}

fn by_card(wish: &Wish) -> bool {
    wish.pay == Pay::Card
}

/// Tells whether the order is a single piece by card: the provider fails at that price.
fn alone_by_card(wish: &Wish) -> bool {
    by_card(wish) && wish.pieces() == 1
}

fn physical(wish: &Wish) -> bool {
    wish.physical > 0
}

fn digital(wish: &Wish) -> bool {
    wish.digital > 0
}

fn mixed(wish: &Wish) -> bool {
    physical(wish) && digital(wish)
}

impl Trouble {
    /// Every end of such an order, over all interleavings.
    pub(crate) fn endings(&self, shop: &Shop, wish: &Wish) -> BTreeSet<Ending> {
        let total = wish.pieces() * shop.price;
        if self.stops_at == Stop::Order {
            let rejected = |&reason| Ending { status: Status::Rejected, reason: Some(reason), given_back: 0 };
            return self.reasons.iter().map(rejected).collect();
        }
        let cancelled = |reason, given_back| Ending { status: Status::Cancelled, reason: Some(reason), given_back };
        let mut endings = BTreeSet::new();
        if self.stops_at == Stop::Nowhere {
            endings.insert(Ending { status: Status::Completed, reason: None, given_back: 0 });
        }
        let debited = self.stops_at >= Stop::Capture;
        endings.extend(self.reasons.iter().map(|&reason| cancelled(reason, if debited { total } else { 0 })));
        // Whatever the trouble, the buyer or the deadline may come first.
        for reason in [Reason::CancelledByUser, Reason::TimedOut] {
            endings.insert(cancelled(reason, 0));
            if debited {
                endings.insert(cancelled(reason, total));
            }
        }
        // And the provider may be unreachable.
        if matches!(wish.pay, Pay::Card | Pay::DeclinedCard | Pay::FaithlessCard) && self.stops_at > Stop::Account {
            endings.insert(cancelled(Reason::GatewayUnavailable, 0));
        }
        endings
    }
}
