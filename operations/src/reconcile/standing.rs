//! The state of an order in all services, and its disagreements.

use events::Reason;
use saga::barrier::Status::{self, Cancelled, Confirmed, Refunded, Rejected};

/// One service's share of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepState {
    pub status: Status,
    /// Reason for which it was refused or undone.
    pub reason: Option<Reason>,
}

/// The order as its own service has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    pub status: String,
    pub reason: Option<Reason>,
    /// Amount returned to the buyer, in minor units.
    pub refunded: i64,
    pub physical: bool,
    pub digital: bool,
    /// Seconds since its deadline, negative before it; None if the order never began.
    pub overdue: Option<i64>,
}

impl Placed {
    pub fn has_ended(&self) -> bool {
        !matches!(self.status.as_str(), "PENDING" | "CANCELLING")
    }
}

/// The state of an order in all services. None means that the service does not know the order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    pub order: Option<Placed>,
    pub balance: Option<StepState>,
    /// Amount held of the balance, now or earlier, in minor units.
    pub amount: i64,
    pub payment: Option<StepState>,
    pub stock: Option<StepState>,
    pub shipment: Option<StepState>,
    pub tracking_no: Option<String>,
    pub entitlement: Option<StepState>,
    /// True if the mail at its end is written.
    pub letter: bool,
}

impl Standing {
    /// The steps, by name.
    pub fn steps(&self) -> [(&'static str, Option<StepState>); 5] {
        [
            ("balance", self.balance),
            ("payment", self.payment),
            ("stock", self.stock),
            ("shipment", self.shipment),
            ("entitlement", self.entitlement),
        ]
    }

    /// The disagreement, allowing `grace` seconds after the deadline; None if all is well or may still become so.
    pub fn doubt(&self, grace: i64) -> Option<String> {
        let Some(order) = &self.order else {
            let (step, _) = self.steps().into_iter().find(|(_, step)| step.is_some())?;
            return Some(format!("has {}, but there is no such order", trace(step)));
        };
        // Whatever its status: nothing is overdue before its deadline.
        if order.overdue.is_some_and(|overdue| overdue < grace) {
            return None;
        }
        if !order.has_ended() {
            return order.overdue.map(|late| format!("is {} {late} s after its deadline", order.status));
        }
        let disagrees = self.steps().into_iter().find(|(name, step)| !fits(order, name, step.map(|step| step.status)));
        match disagrees {
            Some((name, step)) => {
                let status = step.map_or("absent", |step| step.status.as_str());
                Some(format!("is {}, but its {name} is {status}", order.status))
            }
            None if !self.letter => Some(format!("is {}, and its buyer has no mail", order.status)),
            None => None,
        }
    }
}

fn trace(step: &str) -> &'static str {
    match step {
        "balance" => "a balance reservation",
        "payment" => "a payment",
        "stock" => "a stock reservation",
        "shipment" => "a shipment",
        _ => "an entitlement",
    }
}

/// Tells whether a step fits the order's end.
fn fits(order: &Placed, step: &str, status: Option<Status>) -> bool {
    match order.status.as_str() {
        "COMPLETED" => {
            let needed = match step {
                "shipment" => order.physical,
                "entitlement" => order.digital,
                _ => true,
            };
            status == needed.then_some(Confirmed)
        }
        "CANCELLED" => matches!(status, None | Some(Cancelled | Refunded | Rejected)),
        // Rejected before any other service received it.
        _ => matches!(status, None | Some(Cancelled)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(status: &str, overdue: Option<i64>) -> Standing {
        let placed =
            Placed { status: status.into(), reason: None, refunded: 0, physical: false, digital: true, overdue };
        Standing { order: Some(placed), letter: true, ..Standing::default() }
    }

    fn step(status: Status) -> Option<StepState> {
        Some(StepState { status, reason: None })
    }

    #[test]
    fn nothing_younger_than_its_deadline_and_the_grace_is_doubted() {
        for status in ["PENDING", "CANCELLING", "COMPLETED", "CANCELLED"] {
            let at = |overdue| Standing { balance: step(Status::Reserved), ..order(status, Some(overdue)) }.doubt(60);
            assert_eq!((at(-1), at(59)), (None, None), "{status}");
            assert!(at(60).is_some(), "{status}");
        }
    }

    #[test]
    fn what_disagrees_is_named() {
        let late = Some(3600);
        let completed = Standing {
            balance: step(Confirmed),
            payment: step(Confirmed),
            stock: step(Confirmed),
            entitlement: step(Confirmed),
            ..order("COMPLETED", late)
        };
        assert_eq!(completed.doubt(60), None);
        let held = Standing { stock: step(Status::Reserved), ..completed.clone() };
        assert_eq!(held.doubt(60).as_deref(), Some("is COMPLETED, but its stock is RESERVED"));
        let locked = Standing { entitlement: None, ..completed.clone() };
        assert_eq!(locked.doubt(60).as_deref(), Some("is COMPLETED, but its entitlement is absent"));
        let untold = Standing { letter: false, ..completed };
        assert_eq!(untold.doubt(60).as_deref(), Some("is COMPLETED, and its buyer has no mail"));
        let unknown = Standing { balance: step(Status::Reserved), ..Standing::default() };
        assert_eq!(unknown.doubt(60).as_deref(), Some("has a balance reservation, but there is no such order"));
        let rejected = Standing { payment: step(Refunded), ..order("REJECTED", None) };
        assert_eq!(rejected.doubt(60).as_deref(), Some("is REJECTED, but its payment is REFUNDED"));
        assert_eq!(order("REJECTED", None).doubt(60), None);
    }
}
