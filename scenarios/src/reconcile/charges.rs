//! Money that the gateway holds for nobody.

use std::collections::{HashMap, HashSet};

use events::OrderId;

use super::{Case, Remedy};
use crate::audit::{Booking, Steps};

/// A case for every charge that is held or taken at the gateway, while our payment for it is over or was never there.
/// `busy` orders are left alone: they have calls that are still to be made.
pub(super) fn find(steps: &Steps, bookings: &[Booking], busy: &HashSet<OrderId>) -> Vec<Case> {
    let last: HashMap<&str, &Booking> = bookings.iter().map(|booking| (booking.payment_id.as_str(), booking)).collect();
    let mut cases: Vec<Case> = last.into_values().filter_map(|charge| case(steps, charge, busy)).collect();
    cases.sort_by(|a, b| a.what.cmp(&b.what));
    cases
}

fn case(steps: &Steps, charge: &Booking, busy: &HashSet<OrderId>) -> Option<Case> {
    let order: Option<OrderId> = charge.payment_id.parse().ok();
    let payment = order.and_then(|order| steps.payments.get(&order)).map(|payment| payment.status.as_str());
    if order.is_some_and(|order| busy.contains(&order)) {
        return None;
    }
    let state = charge.state.as_str();
    let (id, amount) = (&charge.payment_id, format!("{} {}", charge.amount, charge.currency));
    let let_go = |operation| Remedy::LetGo { payment_id: id.clone(), operation };
    let (what, remedy) = match (payment, state) {
        (None, "authorized") => {
            (format!("the gateway holds {amount} for {id}, which is no payment of ours"), let_go("void"))
        }
        (None, "captured") => {
            (format!("the gateway took {amount} for {id}, which is no payment of ours"), let_go("refund"))
        }
        (Some(over @ ("CANCELLED" | "REJECTED" | "REFUNDED")), "authorized") => {
            (format!("has a payment that is {over}, but the gateway holds {amount}"), let_go("void"))
        }
        (Some(over @ ("CANCELLED" | "REJECTED" | "REFUNDED")), "captured") => {
            (format!("has a payment that is {over}, but the gateway took {amount}"), let_go("refund"))
        }
        (Some("CONFIRMED"), other) if other != "captured" => {
            let why = "money that we count as taken is not: collect it, or take the order back".to_owned();
            (format!("has a payment that is CONFIRMED, but {other} to the gateway"), Remedy::Person(why))
        }
        _ => return None,
    };
    Some(Case { order: payment.and(order), what, remedy })
}

#[cfg(test)]
mod tests {
    use crate::audit::Transaction;

    use super::*;

    fn remedy(payment: Option<&str>, state: &str, busy: bool) -> Option<String> {
        let order = OrderId(uuid::Uuid::now_v7());
        let mut steps = Steps::default();
        steps.payments.extend(payment.map(|status| {
            let row = Transaction {
                order_id: order.0,
                amount: 100,
                currency: "JPY".into(),
                status: status.into(),
                method_type: Some("card".into()),
            };
            (order, row)
        }));
        let booking =
            Booking { payment_id: order.to_string(), state: state.into(), amount: 100, currency: "JPY".into() };
        let busy = if busy { HashSet::from([order]) } else { HashSet::new() };
        let cases = find(&steps, &[booking], &busy);
        cases.into_iter().next().map(|case| match case.remedy {
            Remedy::LetGo { operation, .. } => operation.to_owned(),
            _ => "person".to_owned(),
        })
    }

    #[test]
    fn money_that_is_held_for_nobody_is_let_go() {
        assert_eq!(remedy(None, "authorized", false).as_deref(), Some("void"));
        assert_eq!(remedy(None, "captured", false).as_deref(), Some("refund"));
        assert_eq!(remedy(Some("CANCELLED"), "authorized", false).as_deref(), Some("void"));
        assert_eq!(remedy(Some("REJECTED"), "captured", false).as_deref(), Some("refund"));
        assert_eq!(remedy(Some("CONFIRMED"), "voided", false).as_deref(), Some("person"));
        for (payment, state) in [(None, "voided"), (Some("RESERVED"), "authorized"), (Some("CONFIRMED"), "captured")] {
            assert_eq!(remedy(payment, state, false), None);
        }
    }

    #[test]
    fn whose_calls_are_still_to_be_made_is_left_alone() {
        assert_eq!(remedy(Some("REJECTED"), "authorized", true), None);
    }
}
