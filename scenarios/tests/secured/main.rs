//! A secured system from outside: what its links are, and what those without the right certificate get.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod audited;
mod doors;
mod erased;
mod refusals;

use std::{
    fs,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use events::OrderId;
use futures::future::try_join_all;
use saga::shutdown::Shutdown;
use scenarios::{
    requests::Client,
    stack::{
        self, Broker, Database, Environment, Options, POSTGRES_URL, Reporter, Stack, Started, certs::Certs, seed, until,
    },
};
use serde_json::json;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use doors::{Door, HOUR};

const BOUND: Duration = Duration::from_secs(90);

/// Places orders and waits until they are completed: every service, the relay, the gateway and both servers take part.
async fn buy(environment: &Environment, count: usize) -> anyhow::Result<()> {
    let client = Client::of(environment)?;
    let buy = async |_| {
        let order = OrderId(Uuid::now_v7());
        // Erin has a card and enough money.
        let data = json!({"order_id": order, "user_id": 5, "payment_method_id": 5, "items": [{"product_id": 21, "quantity": 1}]});
        client.request(order, &data).await.map(|_| order)
    };
    let orders: Vec<Uuid> = try_join_all((0..count).map(buy)).await?.into_iter().map(|order| order.0).collect();
    let completed = "select count(*) from orders where id = any($1) and status = 'COMPLETED'";
    let waited = until("the orders are completed", BOUND, async || {
        // A server may be away.
        let databases = operations::databases::Databases::of(environment).ok()?;
        let pool = databases.of_service(Database::ORDERS);
        let done: i64 = sqlx::query_scalar(completed).bind(&orders).fetch_one(pool).await.ok()?;
        pool.close().await;
        (done == count as i64).then_some(())
    });
    let Err(error) = waited.await else { return Ok(()) };
    let databases = operations::databases::Databases::of(environment)?;
    let standing = sqlx::query_scalar(
        "select coalesce(string_agg(concat_ws(' ', status, reason), ', '), 'none is there') from orders where id = any($1)",
    );
    let standing: String = standing.bind(&orders).fetch_one(databases.of_service(Database::ORDERS)).await?;
    Err(error.context(standing))
}

/// One system at a time: each needs the whole machine.
static TURN: Mutex<()> = Mutex::new(());

fn with_a_secured_system(work: impl AsyncFnOnce(&mut Stack) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let (_stop, shutdown) = Shutdown::by_hand();
    let (options, reporter) = (Options::new(Broker::Kafka).secured(), Reporter::silent());
    let whole = stack::with(options, &reporter, &shutdown, async |stack| {
        seed::well_known(stack.environment()).await?;
        work(stack).await
    });
    runtime.block_on(whole).map(drop)
}

/// Sessions of programs, and those among them that are not TLS 1.3 with a certificate.
async fn sessions(stack: &Stack) -> anyhow::Result<(i64, i64)> {
    let variables = stack.variables();
    let (_, url) = variables.iter().find(|(name, _)| name == POSTGRES_URL).unwrap();
    let admin = stack.certs().unwrap().transport("admin")?;
    let mut db = PgConnection::connect_with(&admin.postgres(POSTGRES_URL, url)?).await?;
    let query = "select count(*), count(*) filter (where ssl is not true or version is distinct from 'TLSv1.3' or client_dn is null)
                 from pg_stat_activity left join pg_stat_ssl using (pid) where backend_type = 'client backend'";
    let counted = sqlx::query_as(query).fetch_one(&mut db).await?;
    db.close().await?;
    Ok(counted)
}

#[test]
fn every_link_is_tls_1_3_and_nobody_comes_in_without_the_right_certificate() {
    with_a_secured_system(async |stack| {
        let environment = stack.environment().clone();
        buy(&environment, 5).await?;
        let (all, weak) = sessions(stack).await?;
        assert!(all > 20 && weak == 0, "{weak} of {all} sessions");

        let certs: Certs = stack.certs().unwrap().clone();
        for door in Door::of(stack) {
            door.refuses_older_versions(&certs).await;
            door.refuses_plain_text().await;
            door.refuses_strangers(&certs).await;
        }
        doors::of_roles(&environment, &certs).await;
        doors::of_the_gateway(stack, &certs).await;
        buy(&environment, 1).await
    })
    .unwrap();
}

/// Not only leaves: another authority altogether. Whoever still showed a former certificate would be refused, and whoever still
/// trusted only the former authority would refuse.
#[test]
fn certificates_are_exchanged_under_the_running_programs() {
    with_a_secured_system(async |stack| {
        let environment = stack.environment().clone();
        buy(&environment, 3).await?;
        let before = stack.pids().unwrap().borrow().clone();
        let certs = stack.certs().unwrap().clone();
        for name in ["ca.crt", "ca.key"] {
            fs::remove_file(certs.directory().join(name))?;
        }
        Certs::make(&environment.manifest, certs.directory(), HOUR)?;
        // The servers read theirs when they start; all connections have to be made again.
        let foundation = stack.foundation().unwrap();
        let Started::Kafka(kafka) = &mut foundation.broker else { unreachable!("a secured system has a Kafka") };
        kafka.go_away().await?;
        foundation.postgres.crash_and_recover().await?;
        kafka.come_back().await?;
        buy(&environment, 5).await?;
        let (all, weak) = sessions(stack).await?;
        assert!(all > 20 && weak == 0, "{weak} of {all} sessions");
        assert_eq!(*stack.pids().unwrap().borrow(), before, "no program was restarted");
        Ok(())
    })
    .unwrap();
}
