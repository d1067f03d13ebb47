//! Compares the payment provider's books with ours.

use std::{collections::HashMap, time::Duration};

use anyhow::Context;
use events::OrderId;
use serde::{Deserialize, Serialize};

use crate::Environment;

use super::{Finding, Invariant, Steps, dossier::Dossier};

/// A booking of the gateway's ledger. The last one of a payment gives its state.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Booking {
    /// Position in the ledger, from 1.
    #[serde(default)]
    pub seq: Option<i64>,
    pub payment_id: String,
    #[serde(default)]
    pub operation: String,
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

/// Time without any data after which the gateway counts as not answering.
const SILENT_FOR: Duration = Duration::from_secs(30);

/// The gateway's ledger, oldest booking first.
pub(crate) async fn bookings(environment: &Environment) -> anyhow::Result<Vec<Booking>> {
    let url = format!("{}/v1/ledger", environment.gateway()?);
    // A long ledger takes a while to read, but data has to keep arriving.
    let client = environment.transport.http()?.connect_timeout(SILENT_FOR).read_timeout(SILENT_FOR).build()?;
    let answer = client.get(&url).send().await.and_then(reqwest::Response::error_for_status);
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
        None
    });
    let amounts = bookings.iter().filter_map(|booking| {
        let order: OrderId = booking.payment_id.parse().ok()?;
        let payment = steps.payments.get(&order).filter(|_| !booking.currency.is_empty())?;
        let same = (booking.amount, &booking.currency) == (payment.amount, &payment.currency);
        (!same).then(|| {
            let (theirs, ours) = (
                format!("{} {}", booking.amount, booking.currency),
                format!("{} {}", payment.amount, payment.currency),
            );
            Finding::of(order, format!("was {} at the gateway with {theirs}, but is about {ours}", booking.state))
        })
    });
    let not_by_card = bookings.iter().filter(|booking| booking.state != "voided").filter_map(|booking| {
        let order: OrderId = booking.payment_id.parse().ok()?;
        let payment = steps.payments.get(&order)?;
        let method = payment.method_type.as_deref().filter(|method| *method != "card")?;
        Some(Finding::of(order, format!("was paid by {method}, but was {} at the gateway", booking.state)))
    });
    let strangers = charges.values().filter_map(|charge| {
        let known = charge.payment_id.parse::<OrderId>().is_ok_and(|order| steps.payments.contains_key(&order));
        // The gateway may have released the money of a payment that we do not know.
        let is_let_go = matches!(charge.state.as_str(), "voided" | "refunded");
        (!known && !is_let_go).then(|| Finding {
            // Names the order, so that one that ended without a payment is not sealed.
            order: charge.payment_id.parse().ok(),
            what: format!(
                "the gateway has a charge {} that is {} and no payment of ours",
                charge.payment_id, charge.state
            ),
        })
    });
    let findings = ours.chain(amounts).chain(not_by_card).chain(strangers).collect();
    Invariant {
        what: "the gateway's ledger agrees with the payments",
        looked_at: format!("{} card payments, {} charges", cards.count(), charges.len()),
        findings,
    }
}

/// Tells whether whatever the payment service records as held at the gateway was booked there.
pub(super) fn is_asked(dossiers: &[Dossier], steps: &Steps) -> Invariant {
    let mut looked_at = 0;
    let findings = dossiers.iter().filter_map(|dossier| {
        let by_card = steps.payments.get(&dossier.order)?.method_type.as_deref() == Some("card");
        let said = |event_type| dossier.log.iter().any(|event| event.is_own() && event.event_type == event_type);
        looked_at += usize::from(by_card && said("PaymentAuthorized"));
        let booked = dossier.bookings.iter().any(|booking| booking.state == "authorized");
        (by_card && said("PaymentAuthorized") && !booked)
            .then(|| Finding::of(dossier.order, "was authorized by card, but the gateway has not booked it"))
    });
    let findings = findings.collect();
    let looked_at = format!("{looked_at} authorizations");
    Invariant { what: "what was authorized by card was booked by the gateway", looked_at, findings }
}

/// Tells whether each payment reached its state by allowed steps, each booked for the same amount.
pub(super) fn is_lawful(bookings: &[Booking]) -> Invariant {
    let mut last: HashMap<&str, &Booking> = HashMap::new();
    let mut findings = Vec::new();
    for booking in bookings {
        let before = last.insert(&booking.payment_id, booking);
        let complaint = unlawful(before, booking);
        findings.extend(complaint.map(|what| Finding { order: booking.payment_id.parse().ok(), what }));
    }
    Invariant {
        what: "the gateway's bookings follow one another",
        looked_at: format!("{} bookings", bookings.len()),
        findings,
    }
}

fn unlawful(before: Option<&Booking>, booking: &Booking) -> Option<String> {
    let Booking { operation, state, .. } = booking;
    let leads_there = match operation.as_str() {
        "authorize" => matches!(state.as_str(), "authorized" | "declined"),
        "capture" => state == "captured",
        "void" => state == "voided",
        "refund" => state == "refunded",
        // The field is absent.
        "" => true,
        _ => false,
    };
    if !leads_there {
        return Some(format!("was {state} at the gateway by {operation}"));
    }
    let from = before.map(|before| before.state.as_str());
    let follows = match state.as_str() {
        "authorized" | "declined" => from.is_none(),
        "captured" => from == Some("authorized"),
        "voided" => matches!(from, None | Some("authorized")),
        "refunded" => from == Some("captured"),
        _ => true,
    };
    if !follows {
        return Some(format!("was {state} at the gateway after it was {}", from.unwrap_or("nothing")));
    }
    let sum = |booking: &Booking| (booking.amount, booking.currency.clone());
    let before = before.filter(|before| sum(before) != sum(booking))?;
    Some(format!(
        "was {state} at the gateway for {} {} after {} {}",
        booking.amount, booking.currency, before.amount, before.currency
    ))
}

/// Checks that the ledger has no gap: its bookings are numbered from 1. Takes one booking after the other.
#[derive(Debug, Default)]
struct Numbered {
    last: i64,
    findings: Vec<Finding>,
}

impl Numbered {
    fn note(&mut self, booking: &Booking) {
        let Some(seq) = booking.seq else { return };
        if seq != self.last + 1 {
            self.findings
                .push(Finding::general(format!("the gateway's ledger has booking {seq} after booking {}", self.last)));
        }
        self.last = seq;
    }

    fn end(self) -> Invariant {
        Invariant {
            what: "the gateway's ledger has no gap",
            looked_at: format!("{} bookings", self.last),
            findings: self.findings,
        }
    }
}

/// Tells whether a ledger is complete, by the numbers of its bookings.
pub fn ledger_is_whole(bookings: &[Booking]) -> Invariant {
    let mut numbered = Numbered::default();
    bookings.iter().for_each(|booking| numbered.note(booking));
    numbered.end()
}

/// Tells whether the gateway's state fits our status.
fn fits(status: &str, state: Option<&str>) -> bool {
    match status {
        "CONFIRMED" => state == Some("captured"),
        "REFUNDED" => state == Some("refunded"),
        "RESERVED" => matches!(state, Some("authorized" | "captured")),
        // In flight: the gateway may be in any state already.
        "PENDING" => true,
        // Cancelled or rejected: the gateway may hold no money. If it captured the payment on its own, it has refunded it.
        _ => matches!(state, None | Some("voided" | "declined" | "refunded")),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    /// Otherwise a rejected order would be sealed and never examined again.
    #[test]
    fn a_charge_without_a_payment_is_a_finding_about_its_order() {
        let order = OrderId(Uuid::now_v7());
        let charge = |payment_id: &str, state: &str| Booking {
            payment_id: payment_id.into(),
            state: state.into(),
            ..Booking::default()
        };
        let bookings = [charge(&order.to_string(), "authorized"), charge("of somebody", "captured")];
        let findings = agrees(&Steps::default(), &bookings).findings;
        let mut orders: Vec<Option<OrderId>> = findings.into_iter().map(|finding| finding.order).collect();
        orders.sort();
        assert_eq!(orders, [None, Some(order)]);
        assert!(agrees(&Steps::default(), &[charge(&order.to_string(), "voided")]).findings.is_empty());
    }

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
