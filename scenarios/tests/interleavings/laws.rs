//! What holds of the saga, whatever happens in which order.

use std::collections::{BTreeMap, BTreeSet};

use kit::barrier::Status;
use order::Money;
use scenarios::audit::{BalanceRow, Finding, StockRow};

use crate::{
    bus::{Bus, Databases, Saga, What, World},
    rows,
    shop::Shop,
};

/// A law: `Err` says how it is broken.
pub(crate) struct Law {
    pub(crate) name: &'static str,
    pub(crate) holds: fn(&Shop, &Bus, &World) -> Result<(), String>,
}

/// All of them.
pub(crate) const LAWS: [&Law; 9] =
    [&NO_FAULT, &SAID_ONCE, &ENDS_ONCE, &IN_ORDER, &MONEY, &STOCK, &ENDS_LAST, &GOES_ON, &AT_REST];

// At every moment:

pub(crate) const NO_FAULT: Law =
    Law { name: "what cannot happen does not happen", holds: |_, _, world| world.fault.clone().map_or(Ok(()), Err) };
pub(crate) const SAID_ONCE: Law = Law { name: "every event is said once", holds: |_, _, world| each(world, said_once) };
pub(crate) const ENDS_ONCE: Law =
    Law { name: "an order ends once, and so does every step", holds: |_, _, world| each(world, ends_once) };
pub(crate) const IN_ORDER: Law =
    Law { name: "steps are taken in order, and undone in reverse order", holds: |_, _, world| each(world, in_order) };
pub(crate) const MONEY: Law =
    Law { name: "money is conserved, and never negative", holds: |shop, _, world| money(shop, world) };
pub(crate) const STOCK: Law =
    Law { name: "stock is conserved, and never negative", holds: |shop, _, world| stock(shop, world) };
pub(crate) const ENDS_LAST: Law = Law {
    name: "an order ends when all of it is done, or all of it undone",
    holds: |_, _, world| nothing_found(rows::disagreements(world)),
};

// And sooner or later:

pub(crate) const GOES_ON: Law =
    Law { name: "something goes on until everything is at rest", holds: |_, bus, world| goes_on(bus, world) };
pub(crate) const AT_REST: Law = Law {
    name: "at rest, every order has ended, nothing is held and all books agree",
    holds: |shop, _, world| if world.is_at_rest() { at_rest(shop, world) } else { Ok(()) },
};

/// What must have been said before an event may be, forwards and then backwards. One of each list is enough.
const AFTER: &[(&str, &[&str])] = &[
    ("OrderCreated", &["OrderRequested"]),
    ("BalanceReserved", &["OrderCreated"]),
    ("PaymentAuthorized", &["BalanceReserved"]),
    ("StockReserved", &["PaymentAuthorized"]),
    ("BalanceDebited", &["StockReserved"]),
    ("PaymentCaptured", &["BalanceDebited"]),
    ("StockCommitted", &["PaymentCaptured"]),
    ("ShipmentArranged", &["StockCommitted"]),
    ("EntitlementGranted", &["StockCommitted"]),
    ("OrderCompleted", &["ShipmentArranged", "EntitlementGranted"]),
    ("EntitlementRevoked", &["ShipmentRejected"]),
    ("ShipmentCancelled", &["EntitlementRejected"]),
    (
        "StockReleased",
        &["ShipmentRejected", "EntitlementRejected", "PaymentCaptureFailed", "OrderCancelRequested", "OrderTimedOut"],
    ),
    ("PaymentVoided", &["StockReleased", "StockRejected"]),
    ("PaymentRefunded", &["StockReleased", "StockRejected"]),
    ("PaymentRefunded", &["BalanceDebited"]),
    ("BalanceReleased", &["PaymentVoided", "PaymentRefunded", "PaymentDeclined"]),
    ("BalanceRefunded", &["PaymentVoided", "PaymentRefunded"]),
    ("BalanceRefunded", &["BalanceDebited"]),
    ("OrderCancelled", &["BalanceReleased", "BalanceRefunded", "BalanceRejected"]),
    ("NotificationSent", &["OrderCompleted", "OrderCancelled", "OrderRejected"]),
];

/// Once the stock is committed, no cancel and no deadline leads back: only one of these.
const TOO_LATE: &[&str] = &["ShipmentRejected", "EntitlementRejected"];

/// At most one of each list is ever said about an order.
const EITHER: &[&[&str]] = &[
    &["OrderCompleted", "OrderCancelled", "OrderRejected"],
    &["BalanceReleased", "BalanceRefunded", "BalanceRejected"],
    &["PaymentVoided", "PaymentRefunded", "PaymentDeclined"],
    &["StockReleased", "StockRejected"],
    &["ShipmentArranged", "ShipmentRejected"],
    &["EntitlementGranted", "EntitlementRejected"],
    &["OrderCompleted", "StockReleased"],
];

fn each(world: &World, law: fn(&Saga) -> Result<(), String>) -> Result<(), String> {
    world.sagas.iter().try_for_each(|saga| law(saga))
}

fn said_once(saga: &Saga) -> Result<(), String> {
    let mut times = BTreeMap::<&str, u32>::new();
    for event in saga.said() {
        *times.entry(event).or_default() += 1;
    }
    match times.into_iter().find(|(_, times)| *times > 1) {
        Some((event, times)) => Err(format!("{event} was said {times} times")),
        None => Ok(()),
    }
}

fn ends_once(saga: &Saga) -> Result<(), String> {
    let said: BTreeSet<&str> = saga.said().collect();
    for either in EITHER {
        let both: Vec<&str> = either.iter().copied().filter(|event| said.contains(event)).collect();
        if both.len() > 1 {
            return Err(both.join(" and "));
        }
    }
    Ok(())
}

fn in_order(saga: &Saga) -> Result<(), String> {
    let said: BTreeSet<&str> = saga.said().collect();
    if said.contains("StockCommitted")
        && said.contains("StockReleased")
        && !TOO_LATE.iter().any(|event| said.contains(event))
    {
        return Err("the stock was committed, and released although nobody refused to fulfil".to_owned());
    }
    match AFTER.iter().find(|(event, after)| said.contains(event) && !after.iter().any(|event| said.contains(event))) {
        Some((event, after)) => Err(format!("{event} without {}", after.join(" or "))),
        None => Ok(()),
    }
}

fn money(shop: &Shop, world: &World) -> Result<(), String> {
    let rows = rows::ledgers(shop, world).balances;
    let right = |row: &&BalanceRow| {
        let in_bounds = 0 <= row.reserved_balance && row.reserved_balance <= row.balance;
        in_bounds && row.reserved_balance == row.held && row.balance + row.taken == row.deposited
    };
    rows.iter().find(|row| !right(row)).map_or(Ok(()), |row| Err(format!("{row:?}")))
}

fn stock(shop: &Shop, world: &World) -> Result<(), String> {
    let rows = rows::ledgers(shop, world).stock;
    let right = |row: &&StockRow| {
        let in_bounds = 0 <= row.reserved_quantity && row.reserved_quantity <= row.stock_quantity;
        in_bounds && row.reserved_quantity == row.held && row.stock_quantity + row.taken == row.received
    };
    rows.iter().find(|row| !right(row)).map_or(Ok(()), |row| Err(format!("{row:?}")))
}

/// No order waits for ever: what is unread is read some day, and every open call is answered or given up.
fn goes_on(bus: &Bus, world: &World) -> Result<(), String> {
    if world.has_unread() || world.is_at_rest() || world.fault.is_some() {
        return Ok(());
    }
    let happens = |what| matches!(what, What::Deliver { .. } | What::Answer { .. } | What::GiveUp { .. });
    let mut steps = bus.steps(world).into_iter().filter(|step| happens(step.what));
    if steps.any(|step| bus.take(world, step).is_some()) {
        Ok(())
    } else {
        Err("a call stays open for ever".to_owned())
    }
}

fn at_rest(shop: &Shop, world: &World) -> Result<(), String> {
    let Databases { order, account, .. } = &world.databases;
    for saga in &world.sagas {
        let purchase = order.purchases.get(&saga.order_id).ok_or("the request was lost")?;
        let told = match purchase.money {
            Money::Open => 0,
            Money::Settled { refunded, .. } => refunded,
        };
        let held = account.reservations.get(&saga.order_id).filter(|held| held.status == Status::Refunded);
        let given_back = held.map_or(0, |held| held.amount);
        if told != given_back {
            return Err(format!("the buyer was told of {told} given back, but {given_back} were"));
        }
    }
    nothing_found(rows::audit(shop, world))
}

fn nothing_found(findings: Vec<Finding>) -> Result<(), String> {
    findings.into_iter().next().map_or(Ok(()), |finding| Err(finding.what))
}
