//! Whether the payment provider's books agree with ours.

use std::collections::HashMap;

use anyhow::Context;
use events::OrderId;
use serde::Deserialize;

use crate::stack::Environment;

use super::{Finding, Invariant, Steps};

/// A booking of the gateway's ledger; the last one of a payment tells how it stands.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Booking {
    pub payment_id: String,
    pub state: String,
    /// Absent where a payment was voided before it was authorized.
    #[serde(default)]
    pub amount: i64,
    #[serde(default)]
    pub currency: String,
}

#[derive(Debug, Deserialize)]
struct Ledger {
    entries: Vec<Booking>,
}

/// The gateway's ledger, oldest booking first.
pub(crate) async fn bookings(environment: &Environment) -> anyhow::Result<Vec<Booking>> {
    let url = format!("{}/v1/ledger", environment.gateway()?);
    let answer = reqwest::get(&url).await.and_then(reqwest::Response::error_for_status);
    let ledger: Ledger =
        answer.with_context(|| format!("GET {url}"))?.json().await.with_context(|| format!("reading {url}"))?;
    Ok(ledger.entries)
}

pub(super) fn agrees(steps: &Steps, bookings: &[Booking]) -> Invariant {
    let charges: HashMap<&str, &Booking> =
        bookings.iter().map(|booking| (booking.payment_id.as_str(), booking)).collect();
    let cards = steps.payments.iter().filter(|(_, payment)| payment.method_type.as_deref() == Some("card"));
    let ours = cards.clone().filter_map(|(order, payment)| {
        let charge = charges.get(order.to_string().as_str());
        let state = charge.map(|charge| charge.state.as_str());
        if !fits(&payment.status, state) {
            let state = state.unwrap_or("unknown");
            return Some(Finding::of(
                *order,
                format!("has a payment that is {}, but {state} to the gateway", payment.status),
            ));
        }
        let charge = charge.filter(|charge| matches!(charge.state.as_str(), "captured" | "refunded"))?;
        let same = (charge.amount, charge.currency.as_str()) == (payment.amount, payment.currency.as_str());
        (!same).then(|| {
            let (theirs, ours) =
                (format!("{} {}", charge.amount, charge.currency), format!("{} {}", payment.amount, payment.currency));
            Finding::of(*order, format!("was charged {theirs} by the gateway, but {ours} by us"))
        })
    });
    let strangers = charges.values().filter_map(|charge| {
        let known = charge.payment_id.parse::<OrderId>().is_ok_and(|order| steps.payments.contains_key(&order));
        // What was let go again, or declined, holds nobody's money.
        let holds_money = matches!(charge.state.as_str(), "authorized" | "captured");
        (!known && holds_money).then(|| {
            Finding::general(format!(
                "the gateway has a charge {} that is {} and no payment of ours",
                charge.payment_id, charge.state
            ))
        })
    });
    let findings = ours.chain(strangers).collect();
    Invariant {
        what: "the gateway's ledger agrees with the payments",
        looked_at: format!("{} card payments, {} charges", cards.count(), charges.len()),
        findings,
    }
}

/// Whether the gateway's state fits our status.
fn fits(status: &str, state: Option<&str>) -> bool {
    match status {
        "CONFIRMED" => state == Some("captured"),
        "REFUNDED" => state == Some("refunded"),
        "RESERVED" => matches!(state, Some("authorized" | "captured")),
        // Under way: anything may have happened there already.
        "PENDING" => true,
        // Cancelled or rejected: no money may be held there. What the provider has collected by itself, it has given back.
        _ => matches!(state, None | Some("voided" | "declined" | "refunded")),
    }
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn money_there_means_money_here() {
        assert!(fits("CONFIRMED", Some("captured")));
        for other in [None, Some("authorized"), Some("voided"), Some("declined"), Some("refunded")] {
            assert!(!fits("CONFIRMED", other), "{other:?}");
        }
        for left in [Some("authorized"), Some("captured")] {
            assert!(!fits("CANCELLED", left), "{left:?}");
            assert!(!fits("REJECTED", left), "{left:?}");
        }
        for settled in [None, Some("voided"), Some("declined"), Some("refunded")] {
            assert!(fits("CANCELLED", settled), "{settled:?}");
            assert!(fits("REJECTED", settled), "{settled:?}");
        }
        assert!(fits("REFUNDED", Some("refunded")));
        assert!(!fits("REFUNDED", Some("captured")));
    }
}
