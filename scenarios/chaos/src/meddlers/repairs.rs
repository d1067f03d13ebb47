//! Repairs continuously, with less patience than a careful operator.

use std::{
    collections::HashSet,
    fmt,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use events::OrderId;
use operations::{
    databases::Databases,
    reconcile::{self, Case, Outcome, Repairs, Scope},
};
use saga::shutdown::Shutdown;
use testbed::{Database, Environment};

use crate::Diary;

/// Minimum interval between two runs.
const PAUSE: Duration = Duration::from_secs(3);
/// Maximum time to wait for what is in flight.
const PATIENCE: Duration = Duration::from_secs(5);
/// Seconds for which an order is left alone after its deadline: a twelfth of the default.
const GRACE: i64 = 5;

/// Result of the repairs.
#[derive(Debug, Default)]
pub(super) struct Repaired {
    runs: usize,
    /// Runs whose picture was complete, so that repairs were possible.
    whole: usize,
    /// Orders about which an event was published, and when.
    touched: Vec<(OrderId, DateTime<Utc>)>,
}

pub(super) async fn keep_on(
    environment: Environment,
    databases: Databases,
    diary: Diary,
    shutdown: Shutdown,
) -> Repaired {
    let (mut repaired, mut took) = (Repaired::default(), Duration::ZERO);
    // At most half of the time, because each run examines the whole history.
    while shutdown.sleep(PAUSE.max(took)).await {
        let begun = Instant::now();
        repaired.runs += 1;
        // Failures are expected during chaos: the next run tries again.
        if let Ok(outcome) = run(&environment, &databases).await {
            for case in &outcome.done {
                diary.note(format!("  repaired: {}", told(case)));
            }
            repaired.note(outcome);
        }
        took = begun.elapsed();
    }
    repaired
}

async fn run(environment: &Environment, databases: &Databases) -> anyhow::Result<Outcome> {
    let http = reconcile::client(&environment.transport)?;
    let scope = Scope { environment, databases, http: &http, patience: PATIENCE, grace: GRACE };
    let picture = scope.find().await?;
    Ok(Repairs::new(scope, operations::audited::Audited::nowhere())?.carry_out(picture).await)
}

/// Remaining disagreements, except for the orders of `forgeries`.
pub(super) async fn left(
    environment: &Environment,
    databases: &Databases,
    forgeries: &HashSet<OrderId>,
) -> anyhow::Result<Vec<String>> {
    let http = reconcile::client(&environment.transport)?;
    let picture = Scope { environment, databases, http: &http, patience: PATIENCE, grace: 0 }.find().await?;
    let cases = picture.cases.iter().filter(|case| case.order.is_none_or(|order| !forgeries.contains(&order)));
    let left = cases.map(|case| format!("reconcile finds at the end: {}", told(case)));
    Ok(left.chain(picture.whole.err().map(|why| format!("reconcile cannot tell at the end: {why}"))).collect())
}

fn told(case: &Case) -> String {
    let order = case.order.map_or(String::new(), |order| format!("order {order} "));
    format!("{order}{} → {}", case.what, case.remedy)
}

impl Repaired {
    fn note(&mut self, outcome: Outcome) {
        self.whole += usize::from(outcome.refused.is_none());
        self.touched.extend(outcome.touched);
    }

    /// Repairs of orders whose deadline had not passed: what they lacked was still in flight.
    pub(super) async fn harm(&self, databases: &Databases) -> sqlx::Result<Vec<String>> {
        let mut harm = Vec::new();
        for (order, at) in &self.touched {
            let deadline: Option<Option<DateTime<Utc>>> =
                sqlx::query_scalar("select deadline from orders where id = $1")
                    .bind(order.0)
                    .fetch_optional(databases.of_service(Database::ORDERS))
                    .await?;
            if deadline.flatten().is_some_and(|deadline| *at < deadline) {
                harm.push(format!("order {order} was repaired, and had time left"));
            }
        }
        Ok(harm)
    }
}

impl fmt::Display for Repaired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Repaired { runs, whole, touched } = self;
        let repairs = touched.len();
        write!(
            f,
            "{runs} runs of repair, {whole} of them with nothing on its way, have made {repairs} repairs of orders"
        )
    }
}
