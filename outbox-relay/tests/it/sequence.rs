//! A sequence that does not continue from the cursor.

use chrono::{TimeDelta, Utc};
use outbox_relay::{Drained, Lost, Relay};
use sqlx::AssertSqlSafe;

use crate::support::{World, append_at, in_a_world, lead, stop, until, until_gone};

async fn run(world: &World, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&world.pool).await.unwrap();
}

async fn refusal(relay: &Relay) -> Lost {
    let refused = relay.stand_by().await.unwrap().try_to_lead().await.err();
    refused.expect("it does not lead")
}

/// Publishes ten rows.
async fn ten_rows(world: &World) {
    for _ in 0..10 {
        world.append("order-1", "Before").await;
    }
    let mut tenure = lead(&world.relay()).await;
    assert_eq!(tenure.drain().await.unwrap(), Drained::Empty);
    tenure.resign().await.unwrap();
}

/// Appends events of one key with ever older ids, so that a later event is in an earlier partition.
async fn append_backwards(world: &World, names: &[&str]) {
    for (name, days) in names.iter().zip((0..2).rev()) {
        sqlx::query(
            "insert into outbox (id, aggregatetype, aggregateid, type, payload)
             select rpad(lpad(to_hex((extract(epoch from now() + make_interval(days => $3)) * 1000)::bigint), 12, '0'),
                         32, '7')::uuid, $1, 'order-1', $2, '{}'",
        )
        .bind(&world.aggregatetype)
        .bind(name)
        .bind(days)
        .execute(&world.pool)
        .await
        .unwrap();
    }
}

/// The statements that an error tells the operator to run.
fn advice(lost: &Lost) -> Vec<String> {
    lost.to_string().split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[tokio::test]
async fn a_sequence_behind_the_cursor_stops_the_relay_and_the_advice_helps() {
    in_a_world(async |world| {
        ten_rows(world).await;
        let time: String = sqlx::query_scalar("select clock_timestamp()::text").fetch_one(&world.pool).await.unwrap();
        // The state after a switch-over that replicated rows but no sequences.
        run(world, "select setval('outbox_seq', 1, false)").await;
        append_backwards(world, &["Lost 1", "Lost 2"]).await;
        let lost = refusal(&world.relay()).await;
        assert!(matches!(lost, Lost::SequenceBehind { last_value: 2, cursor: 10 }), "{lost}");
        for sql in advice(&lost) {
            run(world, &sql.replace("TIME", &format!("'{time}'"))).await;
        }
        assert_eq!(lead(&world.relay()).await.drain().await.unwrap(), Drained::Empty);
        assert_eq!(world.published().await[10..], ["Lost 1", "Lost 2"]);
    })
    .await;
}

#[tokio::test]
async fn numbers_that_were_used_twice_stop_the_relay_when_it_takes_over_and_the_advice_helps() {
    in_a_world(async |world| {
        ten_rows(world).await;
        run(world, "select setval('outbox_seq', 8)").await;
        append_backwards(world, &["Lost 1", "Lost 2"]).await;
        let lost = refusal(&world.relay()).await;
        for sql in advice(&lost) {
            run(world, &sql).await;
        }
        assert_eq!(lead(&world.relay()).await.drain().await.unwrap(), Drained::Empty);
        let published = world.published().await;
        let lost: Vec<_> = published.iter().filter(|name| name.starts_with("Lost")).collect();
        assert_eq!(lost, ["Lost 1", "Lost 2"]);
    })
    .await;
}

/// The leader may check only when the sequence is ahead of the cursor again.
#[tokio::test]
async fn rows_that_got_numbers_again_under_a_leader_are_found_and_published() {
    in_a_world(async |world| {
        ten_rows(world).await;
        let mut tenure = lead(&world.relay()).await;
        run(world, "select setval('outbox_seq', 7)").await;
        let names: Vec<String> = (1..=10).map(|number| format!("Again {number}")).collect();
        for name in &names {
            world.append("order-1", name).await;
        }
        let leads = tokio::sync::Mutex::new(&mut tenure);
        let lost = until("the leader has looked", || async { leads.lock().await.step().await.err() }).await;
        assert!(lost.to_string().contains("seq 8"), "{lost}");
        drop(tenure);
        for sql in advice(&lost) {
            run(world, &sql).await;
        }
        let relay = world.relay();
        let mut successor = until("its session is gone", || crate::support::try_to_lead(&relay)).await;
        assert_eq!(successor.drain().await.unwrap(), Drained::Empty);
        let published = world.published().await;
        assert!(names.iter().all(|name| published.contains(name)), "{published:?}");
    })
    .await;
}

#[tokio::test]
async fn a_clock_that_is_set_back_stops_nothing() {
    in_a_world(async |world| {
        append_at(&world.pool, &world.aggregatetype, "Later", Utc::now() + TimeDelta::hours(1)).await;
        ten_rows(world).await;
        assert_eq!(lead(&world.relay()).await.drain().await.unwrap(), Drained::Empty);
        assert_eq!(world.cursor().await, 11);
    })
    .await;
}

#[tokio::test]
async fn taking_over_reads_a_bounded_number_of_rows_however_many_there_are() {
    in_a_world(async |world| {
        run(
            world,
            "insert into outbox (id, aggregatetype, aggregateid, type, payload)
             select gen_random_uuid(), 'x', n::text, 'Counted', '{}' from generate_series(1, 60000) n;
             update relay_cursor set last_seq = 60000; analyze outbox",
        )
        .await;
        // The counts of a session's statements are visible once it is gone.
        let rows_read = async || -> i64 {
            until_gone(world).await;
            let read = sqlx::query_scalar(
                "select sum(idx_tup_read)::bigint from pg_stat_user_indexes where relname like 'outbox%'",
            );
            read.fetch_one(&world.pool).await.unwrap()
        };
        let before = rows_read().await;
        lead(&world.relay()).await.resign().await.unwrap();
        let read = rows_read().await - before;
        assert!(read <= 20_000, "{read} rows");
    })
    .await;
}

#[tokio::test]
async fn a_sequence_that_is_set_back_under_a_leader_stops_it() {
    in_a_world(async |world| {
        ten_rows(world).await;
        let mut tenure = lead(&world.relay()).await;
        run(world, "select setval('outbox_seq', 5)").await;
        let tenure = tokio::sync::Mutex::new(&mut tenure);
        let lost = until("the leader has looked", || async { tenure.lock().await.step().await.err() }).await;
        assert!(matches!(lost, Lost::SequenceBehind { last_value: 5, cursor: 10 }), "{lost}");
    })
    .await;
}

#[tokio::test]
async fn a_sequence_that_is_cached_stops_the_relay() {
    in_a_world(async |world| {
        run(world, "alter sequence outbox_seq cache 20").await;
        let lost = refusal(&world.relay()).await;
        assert!(matches!(lost, Lost::SequenceCached { cache: 20 }), "{lost}");
    })
    .await;
}

#[tokio::test]
async fn a_relay_that_may_not_lead_is_not_ready_and_says_what_to_do() {
    in_a_world(async |world| {
        ten_rows(world).await;
        run(world, "select setval('outbox_seq', 1)").await;
        let (relay, stopping) = world.run(world.settings());
        let trouble = until("it is in trouble", || async {
            relay.trouble().filter(|it| it.contains("setval('outbox_seq', 10)"))
        });
        trouble.await;
        run(world, "select setval('outbox_seq', 10)").await;
        until("it is well", || async { relay.trouble().is_none().then_some(()) }).await;
        stop(stopping).await;
    })
    .await;
}
