//! A whole system, with a consumer that is frozen and with somebody who says what no service has said.

use std::time::Duration;

use kit::shutdown::Shutdown;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use scenarios::{
    audit::{self, Finding},
    cast::{ALICE, BITCOIN},
    play::Wish,
    requests::Client,
    seed,
    stack::{self, Broker, Database, Environment, Options, Program, Reporter, until},
};
use secrecy::ExposeSecret;
use serde_json::json;
use sqlx::PgPool;

const BOUND: Duration = Duration::from_secs(60);

/// "At rest" means that nobody has anything left to read. What a frozen service has not read yet is not missing, but on its way;
/// and in a system that does not rest it is left for later.
#[tokio::test]
async fn a_system_whose_consumers_are_behind_is_not_at_rest() {
    let reporter = Reporter::silent();
    let (_stop, shutdown) = Shutdown::by_hand();
    let options = Options::new(Broker::Embedded);
    let done = stack::with(options, &reporter, &shutdown, async |stack| {
        let environment = stack.environment().clone();
        seed::well_known(&environment).await?;
        let pid = stack.pids().unwrap().borrow()[&Program::Notification];
        let notification = Pid::from_raw(i32::try_from(pid)?);
        kill(notification, Signal::SIGSTOP)?;
        let judged = behind(&environment).await;
        kill(notification, Signal::SIGCONT)?;
        judged?;
        let audited = audit::run(&environment, BOUND).await?;
        assert!(audited.holds(), "{audited:#?}");
        forged(&environment).await
    });
    done.await.unwrap().unwrap();
}

async fn behind(environment: &Environment) -> anyhow::Result<()> {
    let wish = Wish::of(ALICE, &[(BITCOIN, 1)]);
    Client::new(&environment.brokers)?.request(wish.order_id(), wish.data()).await?;
    let orders = PgPool::connect(environment.database(Database::Orders)?.expose_secret()).await?;
    let published = async || {
        let query = "select count(*) from orders, outbox, relay_cursor
                     where status = 'COMPLETED' and type = 'OrderCompleted' and seq <= last_seq";
        sqlx::query_scalar::<_, i64>(query).fetch_one(&orders).await.ok().filter(|count| *count > 0)
    };
    until("the order is complete, and Kafka has it", BOUND, published).await?;
    let audited = audit::run(environment, Duration::from_secs(1)).await?;
    let said: Vec<&str> = findings(&audited).map(|finding| finding.what.as_str()).collect();
    assert!(
        said.iter().any(|what| what.starts_with("notification has ") && what.ends_with(" events left to read")),
        "{said:?}"
    );

    let (looked, _) = audit::look(environment, None).await?;
    assert!(looked.holds(), "what is on its way is not wrong: {looked:#?}");
    Ok(())
}

/// An event that its service has never said is found, once it has been read, also in a system that does not rest.
async fn forged(environment: &Environment) -> anyhow::Result<()> {
    let wish = Wish::of(ALICE, &[(BITCOIN, 1)]);
    let order = json!({
        "order_id": wish.order_id(), "user_id": 1, "payment_method_id": 1, "currency": "JPY", "total": 1,
        "items": [{ "product_id": 1, "quantity": 1, "unit_price": 1, "kind": "digital" }],
    });
    let client = Client::new(&environment.brokers)?;
    client
        .event("order.events", "/services/order", "OrderCompleted", wish.order_id(), &json!({ "order": order }))
        .await?;
    let audited = audit::run(environment, BOUND).await?;
    let said: Vec<&str> = findings(&audited).map(|finding| finding.what.as_str()).collect();
    assert!(said.iter().any(|what| what.ends_with("order has never said it: forged")), "{said:?}");
    Ok(())
}

fn findings(report: &audit::Report) -> impl Iterator<Item = &Finding> {
    report.invariants.iter().flat_map(|invariant| &invariant.findings)
}
