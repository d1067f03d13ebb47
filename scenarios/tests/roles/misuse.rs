//! What a captured program would try first. Each misuse fails, and succeeds when its lock is taken out: so the test can fail.

use saga::parked::desk::{self, Done, Signature, Wish};
use scenarios::stack::Database;
use secrecy::ExposeSecret;
use sqlx::PgPool;
use uuid::Uuid;

use crate::ground::{Ground, REFUSED, tried, tried_in_vain};

/// A misuse, and the lock before it.
struct Misuse {
    database: Database,
    /// Kind of the role that tries.
    by: &'static str,
    /// What it tries.
    tries: &'static str,
    /// What a superuser does to take the lock out.
    unlocked_by: &'static str,
}

const fn misuse(database: Database, by: &'static str, tries: &'static str, unlocked_by: &'static str) -> Misuse {
    Misuse { database, by, tries, unlocked_by }
}

const FORGED: &str = "insert into outbox (id, aggregatetype, aggregateid, type, payload)
                      values (gen_random_uuid(), 'payment', 'some order', 'PaymentCaptured', '{}')";

const MISUSES: [Misuse; 24] = [
    // A service and its past.
    misuse(Database::ORDERS, "app", "delete from order_history", "grant delete on order_history to orders_app"),
    misuse(
        Database::ORDERS,
        "app",
        "update order_history set event = 'OrderCancelled'",
        "grant update on order_history to orders_app",
    ),
    misuse(Database::ORDERS, "app", "update orders set total_amount = 1", "grant update on orders to orders_app"),
    misuse(
        Database::PAYMENTS,
        "app",
        "delete from payment_transactions",
        "grant delete on payment_transactions to payments_app",
    ),
    misuse(
        Database::PAYMENTS,
        "app",
        "update payment_transactions set amount = 1",
        "grant update on payment_transactions to payments_app",
    ),
    misuse(Database::PAYMENTS, "app", "truncate attempts", "grant truncate on attempts to payments_app"),
    misuse(
        Database::PAYMENTS,
        "app",
        "delete from parked_actions",
        "grant select, delete on parked_actions to payments_app",
    ),
    misuse(
        Database::ACCOUNTS,
        "app",
        "update balances set deposited = 1000000",
        "grant update on balances to accounts_app",
    ),
    misuse(
        Database::ACCOUNTS,
        "app",
        "select deposit(1, 'JPY', 1000000)",
        "grant execute on function deposit to accounts_app; grant insert, update on balances to accounts_app; insert into users values (1, 'a')",
    ),
    // A service and its outbox.
    misuse(Database::ORDERS, "app", "update outbox set payload = '{}'", "grant update on outbox to orders_app"),
    misuse(Database::ORDERS, "app", "delete from outbox", "grant delete on outbox to orders_app"),
    misuse(Database::ORDERS, "app", "truncate outbox", "grant truncate on outbox to orders_app"),
    misuse(
        Database::ORDERS,
        "app",
        "insert into outbox (id, aggregatetype, aggregateid, type, payload, seq) values (gen_random_uuid(), 'order', 'o', 'E', '{}', 9000000000000000000)",
        "grant insert on outbox to orders_app",
    ),
    misuse(
        Database::ORDERS,
        "app",
        "insert into outbox_default (id, aggregatetype, aggregateid, type, payload) values (gen_random_uuid(), 'order', 'o', 'E', '{}')",
        "grant insert on outbox_default to orders_app",
    ),
    misuse(
        Database::ORDERS,
        "app",
        "select setval('outbox_seq', 1)",
        "grant update on sequence outbox_seq to orders_app",
    ),
    misuse(
        Database::ORDERS,
        "app",
        "update relay_cursor set last_seq = 9000000000000000000",
        "grant update on relay_cursor to orders_app",
    ),
    misuse(
        Database::ORDERS,
        "app",
        "update outbox_publisher set name = 'payment'",
        "grant update on outbox_publisher to orders_app",
    ),
    // A relay.
    misuse(
        Database::PAYMENTS,
        "relay",
        FORGED,
        "grant insert on outbox to payments_relay; grant usage on sequence outbox_seq to payments_relay",
    ),
    misuse(Database::PAYMENTS, "relay", "update outbox set payload = '{}'", "grant update on outbox to payments_relay"),
    misuse(
        Database::PAYMENTS,
        "relay",
        "select * from payment_methods",
        "grant select on payment_methods to payments_relay",
    ),
    // Those who read, and those who repair.
    misuse(
        Database::PAYMENTS,
        "auditor",
        "update payment_transactions set status = 'REFUNDED'",
        "grant update on payment_transactions to payments_auditor",
    ),
    misuse(
        Database::PAYMENTS,
        "auditor",
        "select method_details from payment_methods",
        "grant select on payment_methods to payments_auditor",
    ),
    misuse(
        Database::PAYMENTS,
        "operator",
        "delete from parked_actions",
        "grant delete on parked_actions to payments_operator",
    ),
    misuse(
        Database::ORDERS,
        "operator",
        "update orders set status = 'COMPLETED'",
        "grant update on orders to orders_operator",
    ),
];

#[tokio::test]
async fn every_misuse_is_refused_and_succeeds_without_its_lock() {
    let databases = [Database::ORDERS, Database::ACCOUNTS, Database::PAYMENTS];
    let ground = Ground::of(&databases).await;
    for Misuse { database, by, tries, unlocked_by } in MISUSES {
        let mut db = ground.connect(database, by).await;
        assert_eq!(tried_in_vain(&mut db, tries).await, Err(REFUSED.to_owned()), "{database}, {by}: {tries}");
        tried(&mut ground.admin(database).await, unlocked_by).await.unwrap();
        assert_eq!(tried_in_vain(&mut db, tries).await, Ok(()), "{database}, {by}, unlocked: {tries}");
    }
    // Migrating again takes away what somebody granted by hand.
    for database in databases {
        ground.migrate(database).await;
    }
    for Misuse { database, by, tries, .. } in MISUSES {
        let mut db = ground.connect(database, by).await;
        assert_eq!(tried_in_vain(&mut db, tries).await, Err(REFUSED.to_owned()), "{database}, {by}: {tries}");
    }
    ground.stop().await;
}

/// The publisher is bound by its owner: a service cannot publish under another's name, nor bind itself anew.
#[tokio::test]
async fn a_service_cannot_publish_as_another() {
    let ground = Ground::of(&[Database::ORDERS]).await;
    let mut db = ground.connect(Database::ORDERS, "app").await;
    assert_eq!(tried(&mut db, FORGED).await, Err(CHECK_VIOLATION.to_owned()));
    for tries in [
        "select declare_publisher('payment')",
        "alter table outbox drop constraint outbox_names_its_publisher",
        "delete from outbox_publisher",
    ] {
        assert_eq!(tried(&mut db, tries).await, Err(REFUSED.to_owned()), "{tries}");
    }
    let unlocked = "alter table outbox drop constraint outbox_names_its_publisher";
    tried(&mut ground.admin(Database::ORDERS).await, unlocked).await.unwrap();
    assert_eq!(tried(&mut db, FORGED).await, Ok(()));
    ground.stop().await;
}

const CHECK_VIOLATION: &str = "23514";

/// A new day's partition has no rights of its own, and what is written goes through its table.
#[tokio::test]
async fn rows_reach_their_partitions_through_the_table_alone() {
    let ground = Ground::of(&[Database::ORDERS]).await;
    let mut db = ground.connect(Database::ORDERS, "app").await;
    let said = "insert into outbox (id, aggregatetype, aggregateid, type, payload)
                values (gen_random_uuid(), 'order', 'some order', 'OrderCreated', '{}')";
    assert_eq!(tried(&mut db, said).await, Ok(()));
    // Its rows are moved out of the default partition.
    tried(&mut db, "insert into inbox (event_id) values (rpad(lpad(to_hex((extract(epoch from now() + interval '5 days') * 1000)::bigint), 12, '0'), 32, '0')::uuid)")
        .await
        .unwrap();
    let day = "(now() at time zone 'utc')::date + 5";
    assert_eq!(tried(&mut db, &format!("select upkeep_ensure_day('inbox', {day})")).await, Ok(()));
    let moved: i64 = sqlx::query_scalar("select count(*) from inbox where tableoid::regclass::text !~ 'default'")
        .fetch_one(&mut db)
        .await
        .unwrap();
    assert_eq!(moved, 1);
    let partition: String =
        sqlx::query_scalar("select max(tableoid::regclass::text) from inbox").fetch_one(&mut db).await.unwrap();
    for tries in ["select from", "delete from", "truncate"] {
        assert_eq!(tried(&mut db, &format!("{tries} {partition}")).await, Err(REFUSED.to_owned()), "{tries}");
    }
    ground.stop().await;
}

/// An operator settles parked work under a name; an auditor sees it, and can do nothing about it.
#[tokio::test]
async fn an_operator_settles_parked_work_and_an_auditor_does_not() {
    let ground = Ground::of(&[Database::PAYMENTS]).await;
    let parked = "insert into parked_events (event_id, topic, partition, record_offset, record_timestamp, order_id)
                  select gen_random_uuid(), 't', 0, 0, 0, gen_random_uuid() from generate_series(1, 2);
                  insert into attempts (id, kind, order_id, idempotency_key, request, gives_up, status)
                  select gen_random_uuid(), 'capture', gen_random_uuid(), gen_random_uuid(), '{}', false, 'parked' from generate_series(1, 2)";
    tried(&mut ground.admin(Database::PAYMENTS).await, parked).await.unwrap();
    let pool = async |kind| PgPool::connect(ground.roles.url(Database::PAYMENTS, kind).expose_secret()).await.unwrap();
    let (auditor, operator) = (pool("auditor").await, pool("operator").await);
    let works = desk::list(&auditor).await.unwrap();
    let ids = |kind: &str| -> Vec<Uuid> { works.iter().filter(|work| work.kind == kind).map(|work| work.id).collect() };
    let (events, calls) = (ids("event"), ids("call"));
    let signature = Signature { by: "anna", note: "seen to" };
    for (id, wish) in [
        (events[0], Wish::Retry),
        (events[1], Wish::Resolve),
        (calls[0], Wish::Retry),
        (calls[1], Wish::Answer("captured")),
    ] {
        let refused = desk::act(&auditor, id, wish, signature).await.unwrap_err().into_database_error().unwrap();
        assert_eq!(refused.code().as_deref(), Some(REFUSED), "{wish:?}");
        assert!(matches!(desk::act(&operator, id, wish, signature).await, Ok(Done::Yes(_))), "{wish:?}");
        assert_eq!(desk::find(&auditor, id).await.unwrap().unwrap().actions.len(), 1);
    }
    for pool in [auditor, operator] {
        pool.close().await;
    }
    ground.stop().await;
}
