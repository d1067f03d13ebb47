//! Sequence and number of events.

use std::collections::{BTreeMap, BTreeSet};

use payment_gateway::payment::Operation;

use crate::bus::Saga;

/// Events that must precede an event, forward and then in compensation. One of each list is enough.
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

/// After the stock is committed, no cancellation or deadline leads to compensation: only one of these.
const TOO_LATE: &[&str] = &["ShipmentRejected", "EntitlementRejected"];

/// At most one of each list is ever published about an order.
const EITHER: &[&[&str]] = &[
    &["OrderCompleted", "OrderCancelled", "OrderRejected"],
    &["BalanceReleased", "BalanceRefunded", "BalanceRejected"],
    &["PaymentVoided", "PaymentRefunded", "PaymentDeclined"],
    &["StockReleased", "StockRejected"],
    &["ShipmentArranged", "ShipmentRejected"],
    &["EntitlementGranted", "EntitlementRejected"],
    &["OrderCompleted", "StockReleased"],
];

pub(super) fn said_once(saga: &Saga) -> Result<(), String> {
    let mut times = BTreeMap::<&str, u32>::new();
    for event in saga.said_by_services() {
        *times.entry(event).or_default() += 1;
    }
    match times.into_iter().find(|(_, times)| *times > 1) {
        Some((event, times)) => Err(format!("{event} was said {times} times")),
        None => Ok(()),
    }
}

pub(super) fn ends_once(saga: &Saga) -> Result<(), String> {
    let said: BTreeSet<&str> = saga.said_by_services().collect();
    for either in EITHER {
        let both: Vec<&str> = either.iter().copied().filter(|event| said.contains(event)).collect();
        if both.len() > 1 {
            return Err(both.join(" and "));
        }
    }
    Ok(())
}

pub(super) fn in_order(saga: &Saga) -> Result<(), String> {
    let said: BTreeSet<&str> = saga.said_by_services().collect();
    // An operator may repeat the previous service's event.
    let heard: BTreeSet<&str> = saga.said().collect();
    if said.contains("StockCommitted")
        && said.contains("StockReleased")
        && !TOO_LATE.iter().any(|event| said.contains(event))
    {
        return Err("the stock was committed, and released although nobody refused to fulfil".to_owned());
    }
    // What the provider has captured on its own is refunded, whatever the account has done.
    let collected = saga.gateway.has_acted(Operation::Capture);
    let is_so = |event: &str, after: &[&str]| {
        after.iter().any(|event| heard.contains(event)) || collected && event == "PaymentRefunded"
    };
    match AFTER.iter().find(|(event, after)| said.contains(event) && !is_so(event, after)) {
        Some((event, after)) => Err(format!("{event} without {}", after.join(" or "))),
        None => Ok(()),
    }
}
