//! What holds of the saga, whatever happens in which order.

use std::collections::BTreeMap;

use crate::{
    bus::{Bus, Saga, Step, What, World},
    rows,
    shop::Shop,
};

/// A law: `Err` says where it is broken.
pub(crate) struct Law {
    pub(crate) name: &'static str,
    pub(crate) holds: fn(&Shop, &Bus, &World) -> Result<(), String>,
}

/// All of them. The first ones hold at every moment, the last ones when nothing is left to be done.
pub(crate) const LAWS: [Law; 8] = [
    Law { name: "nothing happens that cannot happen", holds: |_, _, world| no_fault(world) },
    Law { name: "every event is said once", holds: |_, _, world| each(world, said_once) },
    Law { name: "an order ends once", holds: |_, _, world| each(world, ends_once) },
    Law { name: "steps are taken in order, and undone in reverse order", holds: |_, _, world| each(world, in_order) },
    Law { name: "money is conserved, and never negative", holds: |shop, _, world| money(shop, world) },
    Law { name: "stock is conserved, and never negative", holds: |shop, _, world| stock(shop, world) },
    Law { name: "something can always go on until everything is done", holds: |_, bus, world| not_stuck(bus, world) },
    Law { name: "at rest, every order has ended, nothing is half done and nothing is held", holds: |shop, _, world| agreed(shop, world) },
];

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
    world.sagas.iter().try_for_each(law)
}

fn no_fault(world: &World) -> Result<(), String> {
    world.fault.as_ref().map_or(Ok(()), |fault| Err((**fault).clone()))
}

fn said_once(saga: &Saga) -> Result<(), String> {
    let mut times = BTreeMap::<&str, u32>::new();
    for said in saga.said() {
        *times.entry(said.event_type).or_default() += 1;
    }
    match times.into_iter().find(|(_, times)| *times > 1) {
        Some((event, times)) => Err(format!("{event} was said {times} times")),
        None => Ok(()),
    }
}

fn ends_once(saga: &Saga) -> Result<(), String> {
    for either in EITHER {
        let said: Vec<&str> = either.iter().copied().filter(|event| saga.has(event)).collect();
        if said.len() > 1 {
            return Err(said.join(" and "));
        }
    }
    Ok(())
}

fn in_order(saga: &Saga) -> Result<(), String> {
    if saga.has("StockCommitted") && saga.has("StockReleased") && !TOO_LATE.iter().any(|event| saga.has(event)) {
        return Err("the stock was committed, and released although nobody refused to fulfil".to_owned());
    }
    match AFTER.iter().find(|(event, after)| saga.has(event) && !after.iter().any(|event| saga.has(event))) {
        Some((event, after)) => Err(format!("{event} without {}", after.join(" or "))),
        None => Ok(()),
    }
}

fn money(shop: &Shop, world: &World) -> Result<(), String> {
    let rows = rows::ledgers(shop, world).balances;
    let right = |row: &&scenarios::audit::BalanceRow| {
        let in_bounds = 0 <= row.reserved_balance && row.reserved_balance <= row.balance;
        in_bounds && row.reserved_balance == row.held && row.balance + row.taken == row.deposited
    };
    rows.iter().find(|row| !right(row)).map_or(Ok(()), |row| Err(format!("{row:?}")))
}

fn stock(shop: &Shop, world: &World) -> Result<(), String> {
    let rows = rows::ledgers(shop, world).stock;
    let right = |row: &&scenarios::audit::StockRow| {
        let in_bounds = 0 <= row.reserved_quantity && row.reserved_quantity <= row.stock_quantity;
        in_bounds && row.reserved_quantity == row.held && row.stock_quantity + row.taken == row.received
    };
    rows.iter().find(|row| !right(row)).map_or(Ok(()), |row| Err(format!("{row:?}")))
}

/// No order waits for ever: what is unread will be read, and every open call is answered or given up in the end.
fn not_stuck(bus: &Bus, world: &World) -> Result<(), String> {
    let goes_on = |Step { what, .. }: &Step| what.is_owed() || matches!(what, What::GiveUp { .. });
    let stuck = !world.has_unread()
        && !world.is_at_rest()
        && world.fault.is_none()
        && !bus.steps(world).into_iter().filter(goes_on).any(|step| bus.take(world, step).is_some());
    if stuck { Err("nothing is left that could go on".to_owned()) } else { Ok(()) }
}

fn agreed(shop: &Shop, world: &World) -> Result<(), String> {
    if !world.is_at_rest() || world.fault.is_some() {
        return Ok(());
    }
    let databases = &world.databases;
    for saga in &world.sagas {
        let Some(purchase) = databases.order.purchases.get(&saga.order_id) else {
            return Err("the request was lost".to_owned());
        };
        let (said, given_back) = match (purchase.money, databases.account.reservations.get(&saga.order_id)) {
            (order::Money::Settled { refunded, .. }, Some(held)) if held.status == kit::barrier::Status::Refunded => {
                (refunded, held.amount)
            }
            (order::Money::Settled { refunded, .. }, _) => (refunded, 0),
            (order::Money::Open, _) => (0, 0),
        };
        if said != given_back {
            return Err(format!("the buyer was told of {said} given back, but {given_back} were"));
        }
    }
    rows::audit(shop, world).first().map_or(Ok(()), |finding| Err(finding.what.clone()))
}
