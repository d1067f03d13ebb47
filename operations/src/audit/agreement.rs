//! Checks that all steps of an order agree with how it ended.

use std::collections::HashSet;

use chrono::{TimeDelta, Utc};
use events::OrderId;
use saga::barrier::Status;

use super::{Finding, Invariant, OrderRow, Steps};

/// Time allowed for compensation after an order's deadline.
const GRACE: TimeDelta = TimeDelta::seconds(30);

/// No order is pending long after its deadline.
pub(super) fn every_order_ends(steps: &Steps) -> Invariant {
    let open: Vec<&OrderRow> = steps.orders.values().filter(|order| !order.is_finished()).collect();
    let findings = open
        .iter()
        .filter_map(|order| {
            let late = Utc::now() - order.deadline?;
            let what = format!("is {} {} s after its deadline", order.status, late.num_seconds());
            (late > GRACE).then(|| Finding::of(OrderId(order.id), what))
        })
        .collect();
    Invariant {
        what: "every order ends",
        looked_at: format!("{} orders, {} of them under way", steps.orders.len(), open.len()),
        findings,
    }
}

/// What each service did for a finished order matches how the order ended.
pub fn steps_agree(steps: &Steps) -> Invariant {
    let finished: Vec<&OrderRow> = steps.orders.values().filter(|order| order.is_finished()).collect();
    let findings = finished.iter().flat_map(|order| disagreements(steps, order)).collect();
    Invariant {
        what: "every step agrees with its order's end",
        looked_at: format!("{} finished orders in seven databases", finished.len()),
        findings,
    }
}

fn disagreements(steps: &Steps, order: &OrderRow) -> Vec<Finding> {
    let id = OrderId(order.id);
    let one = |status: Option<&String>| status.cloned().into_iter().collect::<Vec<_>>();
    let came: [(&str, Vec<String>); 5] = [
        ("balance", one(steps.reservations.get(&id).map(|row| &row.status))),
        ("payment", one(steps.payments.get(&id).map(|row| &row.status))),
        ("stock", steps.stock.get(&id).cloned().unwrap_or_default()),
        ("shipment", steps.shipments.get(&id).cloned().unwrap_or_default()),
        ("entitlement", steps.entitlements.get(&id).cloned().unwrap_or_default()),
    ];
    came.into_iter()
        .filter(|(step, statuses)| !fits(order, step, statuses))
        .map(|(step, statuses)| {
            let statuses = if statuses.is_empty() { "absent".to_owned() } else { statuses.join(" and ") };
            Finding::of(id, format!("is {}, but its {step} is {statuses}", order.status))
        })
        .collect()
}

/// Tells whether a step's statuses fit the order's end. Contradictory statuses never fit.
fn fits(order: &OrderRow, step: &str, statuses: &[String]) -> bool {
    let status = match statuses {
        [] => None,
        // A word that no step has fits nothing.
        [one] => match one.parse() {
            Ok(status) => Some(status),
            Err(_) => return false,
        },
        _ => return false,
    };
    match order.status.parse() {
        Ok(order::Status::Completed) => {
            let needed = match step {
                "shipment" => order.physical,
                "entitlement" => order.digital,
                _ => true,
            };
            status == needed.then_some(Status::Confirmed)
        }
        Ok(order::Status::Cancelled) => {
            matches!(status, None | Some(Status::Cancelled | Status::Refunded | Status::Rejected))
        }
        // Rejected before any other service received it.
        _ => matches!(status, None | Some(Status::Cancelled)),
    }
}

/// No service did anything for an order that the order service does not know.
pub(super) fn nothing_without_an_order(steps: &Steps) -> Invariant {
    let by_step: [(&str, Vec<&OrderId>); 6] = [
        ("a balance reservation", steps.reservations.keys().collect()),
        ("a payment", steps.payments.keys().collect()),
        ("a stock reservation", steps.stock.keys().collect()),
        ("a shipment", steps.shipments.keys().collect()),
        ("an entitlement", steps.entitlements.keys().collect()),
        ("a mail", steps.mails.keys().collect()),
    ];
    let looked_at: HashSet<&OrderId> = by_step.iter().flat_map(|(_, orders)| orders.iter().copied()).collect();
    let findings = by_step
        .iter()
        .flat_map(|(step, orders)| orders.iter().map(move |order| (step, **order)))
        .filter(|(_, order)| !steps.orders.contains_key(order))
        .map(|(step, order)| Finding::of(order, format!("has {step}, but there is no such order")))
        .collect();
    Invariant {
        what: "nothing is there without an order",
        looked_at: format!("{} orders that left a trace", looked_at.len()),
        findings,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(status: &str, physical: bool, digital: bool) -> OrderRow {
        OrderRow {
            id: uuid::Uuid::nil(),
            status: status.into(),
            reason: None,
            currency: "JPY".into(),
            total_amount: 100,
            deadline: Some(Utc::now()),
            physical,
            digital,
        }
    }

    fn statuses(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn a_completed_order_needs_every_step_confirmed_and_only_its_own_fulfilment() {
        let digital = order("COMPLETED", false, true);
        assert!(fits(&digital, "payment", &statuses(&["CONFIRMED"])));
        assert!(fits(&digital, "entitlement", &statuses(&["CONFIRMED"])));
        assert!(fits(&digital, "shipment", &[]));
        assert!(!fits(&digital, "shipment", &statuses(&["CONFIRMED"])));
        assert!(!fits(&digital, "entitlement", &[]));
        for wrong in ["RESERVED", "CANCELLED", "REFUNDED", "REJECTED", "PENDING"] {
            assert!(!fits(&digital, "stock", &statuses(&[wrong])), "{wrong}");
        }
        assert!(!fits(&digital, "stock", &statuses(&["CANCELLED", "CONFIRMED"])));
    }

    #[test]
    fn a_cancelled_order_leaves_nothing_held_or_taken() {
        let cancelled = order("CANCELLED", true, true);
        for step in ["balance", "payment", "stock", "shipment", "entitlement"] {
            assert!(fits(&cancelled, step, &[]));
            for undone in ["CANCELLED", "REFUNDED", "REJECTED"] {
                assert!(fits(&cancelled, step, &statuses(&[undone])));
            }
            for left in ["RESERVED", "CONFIRMED", "PENDING"] {
                assert!(!fits(&cancelled, step, &statuses(&[left])), "{step} {left}");
            }
        }
    }

    #[test]
    fn a_rejected_order_was_never_begun() {
        assert!(fits(&order("REJECTED", false, true), "balance", &[]));
        assert!(!fits(&order("REJECTED", false, true), "balance", &statuses(&["RESERVED"])));
        assert!(!fits(&order("REJECTED", false, true), "payment", &statuses(&["REFUNDED"])));
    }
}
