//! A whole system, with a frozen consumer and with forged events.

use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use scenarios::{
    audit::{self, Finding},
    cast::{ALICE, BITCOIN},
    play::Wish,
    requests::Client,
    stack::{Database, Environment, Program, until},
};
use secrecy::ExposeSecret;
use sqlx::PgPool;

use crate::running::{BOUND, forge, in_a_system, pid};

/// "At rest" means that no service has records left to read. What a frozen service has not read yet is not missing but in flight;
/// in a system that is not at rest it is deferred.
#[tokio::test]
async fn a_system_whose_consumers_are_behind_is_not_at_rest() {
    in_a_system(async |environment, stack| {
        let notification = pid(stack, Program::NOTIFICATION);
        kill(notification, Signal::SIGSTOP)?;
        let judged = behind(environment).await;
        kill(notification, Signal::SIGCONT)?;
        judged?;
        let audited = audit::run(environment, BOUND).await?;
        assert!(audited.holds(), "{audited:#?}");
        forged(environment).await
    })
    .await;
}

async fn behind(environment: &Environment) -> anyhow::Result<()> {
    let wish = Wish::of(ALICE, &[(BITCOIN, 1)]);
    Client::new(&environment.brokers)?.request(wish.order_id(), wish.data()).await?;
    let orders = PgPool::connect(environment.database(Database::ORDERS)?.expose_secret()).await?;
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

/// A forged event is found once it has been read, also in a system that is not at rest.
async fn forged(environment: &Environment) -> anyhow::Result<()> {
    forge(environment, "OrderCompleted", Wish::of(ALICE, &[(BITCOIN, 1)]).order_id()).await?;
    let audited = audit::run(environment, BOUND).await?;
    let said: Vec<&str> = findings(&audited).map(|finding| finding.what.as_str()).collect();
    assert!(said.iter().any(|what| what.ends_with("order has never said it: forged")), "{said:?}");
    Ok(())
}

fn findings(report: &audit::Report) -> impl Iterator<Item = &Finding> {
    report.invariants.iter().flat_map(|invariant| &invariant.findings)
}
