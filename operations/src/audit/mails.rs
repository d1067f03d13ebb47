//! Checks that every finished order has one mail, of the right kind.

use super::{Finding, Invariant, Steps};

pub(super) fn one_each(steps: &Steps) -> Invariant {
    let finished = steps.orders.iter().filter(|(_, order)| order.is_finished());
    let findings: Vec<Finding> = finished
        .clone()
        .filter_map(|(id, order)| {
            let kinds: Vec<&str> =
                steps.mails.get(id).map(|kinds| kinds.iter().map(String::as_str).collect()).unwrap_or_default();
            let right = match (order.status.as_str(), kinds.as_slice()) {
                ("COMPLETED", [kind]) => matches!(*kind, "receipt" | "welcome"),
                ("CANCELLED", [kind]) => *kind == "cancellation",
                ("REJECTED", [kind]) => *kind == "rejection",
                _ => false,
            };
            let came = if kinds.is_empty() { "none".to_owned() } else { kinds.join(" and ") };
            (!right).then(|| Finding::of(*id, format!("is {}, and its mail is {came}", order.status)))
        })
        .collect();
    Invariant {
        what: "every finished order has one mail",
        looked_at: format!("{} finished orders", finished.count()),
        findings,
    }
}
