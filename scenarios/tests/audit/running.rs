//! A running system on the embedded broker.

use std::time::Duration;

use events::OrderId;
use nix::unistd::Pid;
use saga::shutdown::Shutdown;
use scenarios::{
    requests::Client,
    seed,
    stack::{self, Broker, Environment, Options, Program, Reporter, Stack},
};
use serde_json::json;

/// Timeout for anything that a test waits for.
pub(crate) const BOUND: Duration = Duration::from_secs(60);

/// Starts a system with the well-known people and goods, and stops it after the test.
pub(crate) async fn in_a_system(test: impl AsyncFnOnce(&Environment, &Stack) -> anyhow::Result<()>) {
    let (reporter, (_stop, shutdown)) = (Reporter::silent(), Shutdown::by_hand());
    let done = stack::with(Options::new(Broker::Embedded), &reporter, &shutdown, async |stack| {
        let environment = stack.environment().clone();
        seed::well_known(&environment).await?;
        test(&environment, stack).await
    });
    done.await.unwrap().unwrap();
}

/// The process of a program.
pub(crate) fn pid(stack: &Stack, program: Program) -> Pid {
    Pid::from_raw(i32::try_from(stack.pids().unwrap().borrow()[&program]).unwrap())
}

/// Publishes a forged event of the order service.
pub(crate) async fn forge(environment: &Environment, event_type: &str, order: OrderId) -> anyhow::Result<()> {
    let facts = json!({
        "order_id": order, "user_id": 1, "payment_method_id": 1, "currency": "JPY", "total": 1,
        "items": [{ "product_id": 1, "quantity": 1, "unit_price": 1, "kind": "digital" }],
    });
    let client = Client::new(&environment.brokers)?;
    client.event("order.events", "/services/order", event_type, order, &json!({ "order": facts })).await?;
    Ok(())
}
