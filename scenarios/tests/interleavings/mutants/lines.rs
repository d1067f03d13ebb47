//! Mutants without one line of a table, of those that the lint cannot notice: docs/LINT.md lists them.

use notification::Notification;
use order::Orders;
use saga::Service;

use super::{Mutant, by_wallet};
use crate::{
    bus::Cast,
    laws::AT_REST,
    shop::{NOWHERE, Shop},
    wish::{Pay, Wish},
};

fn mixed() -> Wish {
    Wish::of(1, 1, Pay::Wallet)
}

fn deaf(cast: &mut Cast, event: &str) {
    cast.order.table = Orders::table().without(event).expect("it reacts to it");
}

fn silent(cast: &mut Cast, event: &str) {
    cast.notification.table = Notification::table().without(event).expect("it reacts to it");
}

/// A mixed order waits for both branches, and one of them never comes in.
#[test]
fn a_refusal_is_not_heard_by_the_order_that_waits_for_it() {
    let unshippable = Wish { ship_to: NOWHERE.into(), ..mixed() };
    Mutant::of(unshippable, |cast| deaf(cast, "ShipmentRejected")).caught_by(&AT_REST);
    let discontinued = Shop { unlocks: Some(false), ..Shop::default() };
    Mutant::of(mixed(), |cast| deaf(cast, "EntitlementRejected")).in_shop(discontinued).caught_by(&AT_REST);
}

/// No step waits for a mail, and yet the buyer does.
#[test]
fn an_end_is_not_told() {
    Mutant::of(by_wallet(), |cast| silent(cast, "OrderCompleted")).caught_by(&AT_REST);
    Mutant::of(by_wallet(), |cast| silent(cast, "OrderCancelled")).caught_by(&AT_REST);
    let nothing = Wish::of(0, 0, Pay::Wallet);
    Mutant::of(nothing, |cast| silent(cast, "OrderRejected")).caught_by(&AT_REST);
}
