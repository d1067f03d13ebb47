//! Checks that every finished order has one mail, of the right kind.

use notification::LetterKind;
use order::Status;

use super::{Finding, Invariant, Steps};

pub(super) fn one_each(steps: &Steps) -> Invariant {
    let finished = steps.orders.iter().filter(|(_, order)| order.is_finished());
    let findings: Vec<Finding> = finished
        .clone()
        .filter_map(|(id, order)| {
            let kinds: Vec<&str> =
                steps.mails.get(id).map(|kinds| kinds.iter().map(String::as_str).collect()).unwrap_or_default();
            let right = match (order.status.parse(), kinds.as_slice()) {
                (Ok(Status::Completed), [kind]) => {
                    matches!(kind.parse(), Ok(LetterKind::Receipt | LetterKind::Welcome))
                }
                (Ok(Status::Cancelled), [kind]) => kind.parse() == Ok(LetterKind::Cancellation),
                (Ok(Status::Rejected), [kind]) => kind.parse() == Ok(LetterKind::Rejection),
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
