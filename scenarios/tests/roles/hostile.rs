//! The functions of the upkeep have the owner's rights. What a captured service could make of them: nothing.

use scenarios::stack::{Database, OWNER};
use sqlx::{AssertSqlSafe, PgConnection};

use crate::ground::{Ground, REFUSED, tried, tried_in_vain};

/// A partition of this many days ago, with a row in it: an event that was seen or said.
async fn days_ago(ground: &Ground, parent: &str, days: i32) {
    let mut owner = ground.connect(Database::ORDERS, OWNER).await;
    let day = format!("(now() at time zone 'utc')::date - {days}");
    let id = format!(
        "rpad(lpad(to_hex((extract(epoch from now() - interval '{days} days') * 1000)::bigint), 12, '0'), 32, '0')::uuid"
    );
    let insert = match parent {
        "inbox" => format!("insert into inbox (event_id) values ({id})"),
        _ => format!(
            "insert into outbox (id, aggregatetype, aggregateid, type, payload) values ({id}, 'order', 'o', 'E', '{{}}')"
        ),
    };
    tried(&mut owner, &format!("select ensure_day_partition('{parent}', {day}); {insert}")).await.unwrap();
}

async fn rows(ground: &Ground, table: &str) -> i64 {
    let count = format!("select count(*) from {table}");
    sqlx::query_scalar(AssertSqlSafe(count)).fetch_one(&mut ground.admin(Database::ORDERS).await).await.unwrap()
}

fn drop_day(parent: &str, days: i32) -> String {
    format!("select upkeep_drop_day('{parent}', (now() at time zone 'utc')::date - {days})")
}

/// Names, days and ages that the functions were not made for.
const HOSTILE: [&str; 22] = [
    "select upkeep_drop_day('orders', '2020-01-01')",
    "select upkeep_drop_day('outbox\"; drop table orders; --', '2020-01-01')",
    "select upkeep_drop_day('inbox''; drop table orders; --', '2020-01-01')",
    "select upkeep_drop_day('public.inbox', '2020-01-01')",
    "select upkeep_drop_day('pg_temp.inbox', '2020-01-01')",
    "select upkeep_drop_day('inbox_default', '2020-01-01')",
    "select upkeep_drop_day('INBOX', '2020-01-01')",
    "select upkeep_drop_day('', '2020-01-01')",
    "select upkeep_drop_day(null, '2020-01-01')",
    "select upkeep_drop_day('inbox', null)",
    "select upkeep_drop_day('inbox', 'infinity')",
    "select upkeep_drop_day('inbox', current_date)",
    "select upkeep_drop_day('inbox', current_date + 400)",
    "select upkeep_ensure_day('orders', current_date)",
    "select upkeep_ensure_day('inbox', current_date + 400)",
    "select upkeep_ensure_day('inbox', '2020-01-01')",
    "select upkeep_ensure_day('inbox', null)",
    "select upkeep_default_rows('relay_cursor', 1)",
    "select upkeep_remove_seen(now(), 1000)",
    "select upkeep_remove_published('infinity', 1000)",
    "select upkeep_remove_settled(null, 1000)",
    "select upkeep_remove_ended('00000000-0000-0000-0000-000000000000', now(), 1000)",
];

#[tokio::test]
async fn hostile_arguments_are_refused() {
    let ground = Ground::of(&[Database::ORDERS]).await;
    let mut db = ground.connect(Database::ORDERS, "app").await;
    for call in HOSTILE {
        assert_eq!(tried_in_vain(&mut db, call).await, Err(REFUSED.to_owned()), "{call}");
    }
    for kind in ["relay", "auditor", "operator"] {
        let mut db = ground.connect(Database::ORDERS, kind).await;
        assert_eq!(tried_in_vain(&mut db, &drop_day("inbox", 90)).await, Err(REFUSED.to_owned()), "{kind}");
    }
    // Without the lock, another table's rows are counted.
    let unlocked =
        "create table secrets_default as select 1; create or replace function upkeep_require_parent(parent text)
                    returns void language plpgsql as 'begin end'";
    assert_eq!(tried(&mut db, "select upkeep_default_rows('secrets', 9)").await, Err(REFUSED.to_owned()));
    tried(&mut ground.connect(Database::ORDERS, OWNER).await, unlocked).await.unwrap();
    assert_eq!(tried(&mut db, "select upkeep_default_rows('secrets', 9)").await, Ok(()));
    ground.stop().await;
}

/// Yesterday's events stay, whatever retention the service claims; those past the owner's go.
#[tokio::test]
async fn only_what_is_past_the_owners_retention_is_removed() {
    let ground = Ground::of(&[Database::ORDERS]).await;
    for days in [3, 60] {
        days_ago(&ground, "inbox", days).await;
    }
    let mut db = ground.connect(Database::ORDERS, "app").await;
    assert_eq!(tried(&mut db, "update upkeep_limits set inbox_hours = 1").await, Err(REFUSED.to_owned()));
    assert_eq!(tried(&mut db, &drop_day("inbox", 3)).await, Err(REFUSED.to_owned()));
    assert_eq!(rows(&ground, "inbox").await, 2);
    assert_eq!(tried(&mut db, &drop_day("inbox", 60)).await, Ok(()));
    assert_eq!(rows(&ground, "inbox").await, 1);
    // Without the lock.
    tried(&mut ground.admin(Database::ORDERS).await, "update upkeep_limits set inbox_hours = 1").await.unwrap();
    assert_eq!(tried(&mut db, &drop_day("inbox", 3)).await, Ok(()));
    assert_eq!(rows(&ground, "inbox").await, 0);
    // Without any limits, nobody but the owner removes anything.
    days_ago(&ground, "inbox", 60).await;
    tried(&mut ground.admin(Database::ORDERS).await, "truncate upkeep_limits").await.unwrap();
    assert_eq!(tried(&mut db, &drop_day("inbox", 60)).await, Err(REFUSED.to_owned()));
    assert_eq!(tried(&mut ground.connect(Database::ORDERS, OWNER).await, &drop_day("inbox", 60)).await, Ok(()));
    ground.stop().await;
}

/// Work of today that its service dates back, when it writes it and afterwards.
#[tokio::test]
async fn a_service_cannot_date_its_work_back_and_have_it_removed() {
    let ground = Ground::of(&[Database::ORDERS]).await;
    let mut db = ground.connect(Database::ORDERS, "app").await;
    let long_ago = "now() - interval '60 days'";
    let written = format!(
        "insert into attempts (id, kind, order_id, idempotency_key, request, gives_up, status, created_at, updated_at)
         values ('00000000-0001-7000-8000-000000000000', 'ask', gen_random_uuid(), 'k', '{{}}', false, 'done', {long_ago}, {long_ago});
         insert into parked_events (event_id, topic, partition, record_offset, record_timestamp, order_id, status, settled_at)
         values (gen_random_uuid(), 't', 0, 0, 0, gen_random_uuid(), 'settled', {long_ago})"
    );
    let changed =
        format!("update attempts set updated_at = {long_ago}; update parked_events set settled_at = {long_ago}");
    let removed = "select upkeep_remove_ended('00000000-0000-0000-0000-000000000000', now() - interval '18 days', 9),
                          upkeep_remove_settled(now() - interval '18 days', 9)";
    for sql in [&written, removed, &changed, removed] {
        assert_eq!(tried(&mut db, sql).await, Ok(()), "{sql}");
        assert_eq!((rows(&ground, "attempts").await, rows(&ground, "parked_events").await), (1, 1), "{sql}");
    }
    // Without the lock.
    let unlocked = "alter table attempts disable trigger own_time; alter table parked_events disable trigger own_time";
    tried(&mut ground.connect(Database::ORDERS, OWNER).await, unlocked).await.unwrap();
    for sql in [&changed, removed] {
        assert_eq!(tried(&mut db, sql).await, Ok(()), "{sql}");
    }
    assert_eq!((rows(&ground, "attempts").await, rows(&ground, "parked_events").await), (0, 0));
    ground.stop().await;
}

#[tokio::test]
async fn what_is_not_published_stays() {
    let ground = Ground::of(&[Database::ORDERS]).await;
    days_ago(&ground, "outbox", 60).await;
    let mut db = ground.connect(Database::ORDERS, "app").await;
    assert_eq!(tried(&mut db, &drop_day("outbox", 60)).await, Ok(()), "it says that there was nothing to drop");
    assert_eq!(rows(&ground, "outbox").await, 1);
    // Without the lock: the cursor is where only the relay can move it.
    tried(&mut ground.connect(Database::ORDERS, "relay").await, "update relay_cursor set last_seq = 1000")
        .await
        .unwrap();
    assert_eq!(tried(&mut db, &drop_day("outbox", 60)).await, Ok(()));
    assert_eq!(rows(&ground, "outbox").await, 0);
    ground.stop().await;
}

/// Temporary tables in the place of ours. A service may make none; and if it could, the functions would not look at them.
#[tokio::test]
async fn temporary_tables_shadow_nothing() {
    let ground = Ground::of(&[Database::ORDERS]).await;
    days_ago(&ground, "inbox", 3).await;
    let mut db = ground.connect(Database::ORDERS, "app").await;
    let shadow = "create temporary table upkeep_limits as select true as only_row, 1 as inbox_hours, 1 as outbox_hours;
                  grant select on pg_temp.upkeep_limits to public";
    assert_eq!(tried(&mut db, shadow).await, Err(REFUSED.to_owned()));
    let mut admin = ground.admin(Database::ORDERS).await;
    tried(&mut admin, "grant temporary on database orders to orders_app").await.unwrap();
    assert_eq!(tried(&mut db, shadow).await, Ok(()));
    assert_eq!(tried(&mut db, &drop_day("inbox", 3)).await, Err(REFUSED.to_owned()));
    assert_eq!(rows(&ground, "inbox").await, 1);
    // Without the second lock.
    reset_path(&mut admin, "drop_day(text, date)").await;
    assert_eq!(tried(&mut db, &drop_day("inbox", 3)).await, Ok(()));
    assert_eq!(rows(&ground, "inbox").await, 0);
    ground.stop().await;
}

/// Functions in the place of the server's: a clock that is a year ahead.
#[tokio::test]
async fn functions_of_a_callers_schema_shadow_nothing() {
    let ground = Ground::of(&[Database::ORDERS]).await;
    days_ago(&ground, "inbox", 3).await;
    let mut db = ground.connect(Database::ORDERS, "app").await;
    let clock = "create function clock_timestamp() returns timestamptz language sql as 'select pg_catalog.now() + interval ''1 year''';
                 grant execute on function clock_timestamp() to public";
    assert_eq!(tried(&mut db, clock).await, Err(REFUSED.to_owned()));
    // A schema of its own, in front of the server's.
    let mut admin = ground.admin(Database::ORDERS).await;
    tried(&mut admin, "create schema ours authorization orders_app; grant usage on schema ours to public")
        .await
        .unwrap();
    tried(&mut db, "set search_path = ours, pg_catalog, public").await.unwrap();
    assert_eq!(tried(&mut db, clock).await, Ok(()));
    assert_eq!(tried(&mut db, &drop_day("inbox", 3)).await, Err(REFUSED.to_owned()));
    assert_eq!(rows(&ground, "inbox").await, 1);
    // Without the lock.
    reset_path(&mut admin, "drop_day(text, date)").await;
    assert_eq!(tried(&mut db, &drop_day("inbox", 3)).await, Ok(()));
    assert_eq!(rows(&ground, "inbox").await, 0);
    ground.stop().await;
}

/// Has a function look names up as its caller does.
async fn reset_path(admin: &mut PgConnection, function: &str) {
    tried(admin, &format!("alter function upkeep_{function} reset search_path")).await.unwrap();
}

/// A service with no rights beyond its own does the whole upkeep.
#[tokio::test]
async fn a_service_keeps_its_tables_without_the_right_to_delete() {
    let ground = Ground::of(&[Database::ORDERS]).await;
    for days in [3, 60] {
        days_ago(&ground, "inbox", days).await;
    }
    let mut admin = ground.admin(Database::ORDERS).await;
    let tomorrow: String = sqlx::query_scalar("select to_char((now() at time zone 'utc')::date + 1, 'YYYYMMDD')")
        .fetch_one(&mut admin)
        .await
        .unwrap();
    let old = "insert into inbox values (gen_random_uuid(), now() - interval '60 days');
               insert into attempts (id, kind, order_id, idempotency_key, request, gives_up, status, updated_at)
               values ('00000000-0001-7000-8000-000000000000', 'ask', gen_random_uuid(), 'k', '{}', false, 'done', now() - interval '60 days');
               insert into parked_events (event_id, topic, partition, record_offset, record_timestamp, order_id, status, settled_at)
               values (gen_random_uuid(), 't', 0, 0, 0, gen_random_uuid(), 'settled', now() - interval '60 days')";
    tried(&mut admin, &format!("drop table inbox_{tomorrow}; {old}")).await.unwrap();
    let url = secrecy::ExposeSecret::expose_secret(ground.roles.url(Database::ORDERS, "app")).to_owned();
    let pool = sqlx::PgPool::connect(&url).await.unwrap();
    assert_eq!(saga::upkeep::round(&pool, crate::ground::LEAST, chrono::Utc::now()).await, [""; 0]);
    assert_eq!(rows(&ground, &format!("inbox_{tomorrow}")).await, 0, "it is there");
    for (table, left) in [("inbox", 1), ("attempts", 0), ("parked_events", 0)] {
        assert_eq!(rows(&ground, table).await, left, "{table}");
    }
    pool.close().await;
    ground.stop().await;
}
