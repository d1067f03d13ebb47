//! Charges at the gateway that no payment of ours accounts for.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};
use transport::Transport;

use anyhow::Context;
use chrono::{DateTime, Utc};
use events::OrderId;
use saga::barrier::Status::{Cancelled, Confirmed, Refunded, Rejected};
use serde::Deserialize;

use super::{Case, Look, Remedy, Seen, case::Evidence};
use crate::Environment;

/// State of a payment at the gateway: the last booking of its ledger.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Charge {
    payment_id: String,
    state: String,
    /// Absent where a payment was voided before it was authorized.
    #[serde(default)]
    amount: i64,
    #[serde(default)]
    currency: String,
    #[serde(default)]
    at: Option<DateTime<Utc>>,
}

#[derive(Debug, Deserialize)]
struct Ledger {
    entries: Vec<Charge>,
}

/// Timeout for an answer of the gateway.
const TIME_OUT: Duration = Duration::from_secs(10);

/// The HTTP client for the gateway.
///
/// # Errors
/// If it cannot be made.
pub fn client(transport: &Transport) -> anyhow::Result<reqwest::Client> {
    transport.http()?.timeout(TIME_OUT).build().context("creating an HTTP client")
}

/// The gateway's charges: all, or the one of this payment.
pub(super) async fn all(
    http: &reqwest::Client,
    environment: &Environment,
    payment: Option<&str>,
) -> anyhow::Result<Vec<Charge>> {
    let filter = payment.map_or(String::new(), |payment| format!("?payment_id={payment}"));
    let url = format!("{}/v1/ledger{filter}", environment.gateway()?);
    let answer = http.get(&url).send().await.and_then(reqwest::Response::error_for_status);
    let ledger: Ledger =
        answer.with_context(|| format!("GET {url}"))?.json().await.with_context(|| format!("reading {url}"))?;
    let last: HashMap<String, Charge> =
        ledger.entries.into_iter().map(|charge| (charge.payment_id.clone(), charge)).collect();
    Ok(last.into_values().collect())
}

impl Charge {
    /// The order that it pays for; None if that is none of ours.
    pub(super) fn order(&self) -> Option<OrderId> {
        self.payment_id.parse().ok()
    }

    fn is_quiet(&self, grace: i64) -> bool {
        self.at.is_none_or(|at| (Utc::now() - at).num_seconds() >= grace)
    }
}

/// A case for every charge that is authorized or captured at the gateway although our payment for it is over or never existed.
/// The charges must be older than the look, except for orders that we have `touched`. Orders for which `is_busy` is true are left
/// alone: they have work to do.
pub(super) fn find(
    look: &Look,
    charges: Vec<Charge>,
    grace: i64,
    touched: &HashSet<OrderId>,
    is_busy: impl Fn(OrderId) -> bool,
) -> Vec<Case> {
    let is_ours = |charge: &Charge| charge.order().is_some_and(|order| touched.contains(&order));
    let quiet = charges.into_iter().filter(|charge| is_ours(charge) || charge.is_quiet(grace));
    let mut cases: Vec<Case> = quiet
        .filter(|charge| !charge.order().is_some_and(&is_busy))
        .filter_map(|charge| {
            let seen = charge.order().and_then(|order| look.orders.get(&order));
            case(charge, seen)
        })
        .collect();
    cases.sort_by(|a, b| a.what.cmp(&b.what));
    cases
}

fn case(charge: Charge, seen: Option<&Seen>) -> Option<Case> {
    if seen.is_some_and(|seen| seen.obstacle.is_some()) {
        return None;
    }
    let payment = seen.and_then(|seen| seen.standing.payment).map(|payment| payment.status);
    let (id, amount) = (&charge.payment_id, format!("{} {}", charge.amount, charge.currency));
    let let_go = |operation| Remedy::LetGo { payment_id: id.clone(), operation };
    let (what, remedy) = match (payment, charge.state.as_str()) {
        (None, "authorized") => {
            (format!("the gateway holds {amount} for {id}, which is no payment of ours"), let_go("void"))
        }
        (None, "captured") => {
            (format!("the gateway took {amount} for {id}, which is no payment of ours"), let_go("refund"))
        }
        (Some(over @ (Cancelled | Rejected | Refunded)), "authorized") => {
            (format!("has a payment that is {over}, but the gateway holds {amount}"), let_go("void"))
        }
        (Some(over @ (Cancelled | Rejected | Refunded)), "captured") => {
            (format!("has a payment that is {over}, but the gateway took {amount}"), let_go("refund"))
        }
        (Some(Confirmed), other) if other != "captured" => {
            let why = "money that we count as taken is not: collect it, or take the order back".to_owned();
            (format!("has a payment that is CONFIRMED, but {other} to the gateway"), Remedy::Person(why))
        }
        _ => return None,
    };
    let order = payment.and(charge.order());
    Some(Case { order, what, remedy, evidence: Evidence::Charge(charge, seen.cloned().map(Box::new)) })
}

#[cfg(test)]
mod tests {
    use saga::barrier::Status::{self, Reserved};

    use super::*;
    use crate::reconcile::StepState;

    fn remedy(payment: Option<Status>, state: &str, busy: bool, seconds: i64) -> Option<String> {
        remedy_of(OrderId(uuid::Uuid::now_v7()), &HashSet::new(), payment, state, busy, seconds)
    }

    fn remedy_of(
        order: OrderId,
        touched: &HashSet<OrderId>,
        payment: Option<Status>,
        state: &str,
        busy: bool,
        seconds: i64,
    ) -> Option<String> {
        let mut look = Look::default();
        if let Some(status) = payment {
            look.orders.entry(order).or_default().standing.payment = Some(StepState { status, reason: None });
        }
        let charge = Charge {
            payment_id: order.to_string(),
            state: state.into(),
            amount: 100,
            currency: "JPY".into(),
            at: Some(Utc::now() - chrono::TimeDelta::seconds(seconds)),
        };
        let cases = find(&look, vec![charge], 60, touched, |_| busy);
        cases.into_iter().next().map(|case| match case.remedy {
            Remedy::LetGo { operation, .. } => operation.to_owned(),
            _ => "person".to_owned(),
        })
    }

    #[test]
    fn money_that_is_held_for_nobody_is_let_go() {
        let old = |payment, state| remedy(payment, state, false, 3600);
        assert_eq!(old(None, "authorized").as_deref(), Some("void"));
        assert_eq!(old(None, "captured").as_deref(), Some("refund"));
        assert_eq!(old(Some(Cancelled), "authorized").as_deref(), Some("void"));
        assert_eq!(old(Some(Rejected), "captured").as_deref(), Some("refund"));
        assert_eq!(old(Some(Confirmed), "voided").as_deref(), Some("person"));
        for (payment, state) in [(None, "voided"), (Some(Reserved), "authorized"), (Some(Confirmed), "captured")] {
            assert_eq!(old(payment, state), None);
        }
    }

    #[test]
    fn what_is_young_or_has_calls_still_to_be_made_is_left_alone() {
        assert_eq!(remedy(Some(Rejected), "authorized", true, 3600), None);
        assert_eq!(remedy(None, "authorized", false, 30), None);
        // An order that a repair has touched is examined again at once.
        let order = OrderId(uuid::Uuid::now_v7());
        let again = remedy_of(order, &HashSet::from([order]), Some(Rejected), "authorized", false, 30);
        assert_eq!(again.as_deref(), Some("void"));
    }

    /// The server accepts the connection and never answers.
    #[tokio::test(start_paused = true)]
    async fn a_gateway_that_never_answers_is_not_waited_for() {
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let gateway = format!("http://{}", silent.local_addr().expect("it is bound"));
        let environment = Environment::from_variables(|name| match name {
            "GATEWAY_URL" => Some(gateway.clone()),
            "KAFKA_BROKERS" => Some("nowhere:1".to_owned()),
            name => name.starts_with("DATABASE_URL_").then(|| "postgres://nobody@nowhere/nothing".to_owned()),
        });
        let environment = environment.expect("all is there").expect("all are named");
        let http = client(&Transport::plain()).expect("a client");
        let asked = tokio::time::timeout(TIME_OUT * 10, all(&http, &environment, None)).await;
        assert!(asked.expect("it ends").is_err());
    }
}
