//! Replays.

use std::{future::Future, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use outbox_relay::{Drained, Span, replay};
use sqlx::{AssertSqlSafe, Connection, PgConnection, postgres::PgConnectOptions};
use tokio::net::TcpListener;

use crate::support::{World, append_at, in_a_world, kafka_at, lead, until};

#[tokio::test]
async fn a_span_is_published_again_in_its_order_and_no_cursor_moves() {
    in_a_world(async |world| {
        let noon: DateTime<Utc> = "2025-01-31T12:00:00Z".parse().unwrap();
        let minutes = TimeDelta::minutes;
        for (name, at) in [("Before", -1), ("First", 0), ("Second", 5), ("After", 10)] {
            append_at(&world.pool, &world.aggregatetype, name, noon + minutes(at)).await;
        }
        assert_eq!(lead(&world.relay()).await.drain().await.unwrap(), Drained::Empty);
        append_at(&world.pool, &world.aggregatetype, "NotPublishedYet", noon).await;

        let span = Span { since: noon, until: noon + minutes(10) };
        assert_eq!(replay(&world.options, &world.kafka, Some(&world.aggregatetype), span).await.unwrap(), 2);
        assert_eq!(world.published().await, ["Before", "First", "Second", "After", "First", "Second"]);
        assert_eq!(world.cursor().await, 4);
    })
    .await;
}

#[tokio::test]
async fn a_long_span_is_replayed_whole() {
    in_a_world(async |world| {
        sqlx::query(
            "insert into outbox (id, aggregatetype, aggregateid, type, payload)
             select gen_random_uuid(), $1, 'k', n::text, '{}' from generate_series(1, 9000) n",
        )
        .bind(&world.aggregatetype)
        .execute(&world.pool)
        .await
        .unwrap();
        sqlx::query("update relay_cursor set last_seq = 9000").execute(&world.pool).await.unwrap();

        assert_eq!(replay(&world.options, &world.kafka, Some(&world.aggregatetype), around_now()).await.unwrap(), 9000);
        assert_eq!(world.published().await, (1..=9000).map(|n| n.to_string()).collect::<Vec<_>>());
    })
    .await;
}

fn around_now() -> Span {
    Span { since: Utc::now() - TimeDelta::hours(1), until: Utc::now() + TimeDelta::hours(1) }
}

/// The error with which a replay ends. The clock is paused, so that an hour passes as soon as nothing else happens.
async fn ends_with(replay: impl Future<Output = anyhow::Result<usize>>) -> String {
    let ended = tokio::time::timeout(Duration::from_secs(3600), replay).await;
    format!("{:#}", ended.expect("it ends within an hour").unwrap_err())
}

#[tokio::test(start_paused = true)]
async fn a_replay_gives_up_a_database_that_takes_the_connection_and_says_nothing() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let options =
        PgConnectOptions::new().host("127.0.0.1").port(silent.local_addr().unwrap().port()).username("nobody");
    let error = ends_with(replay(&options, &kafka_at("127.0.0.1:1"), None, around_now())).await;
    assert_eq!(error, "connecting to the database: the database has not answered for 6s");
}

/// Waits until a replay waits for a lock.
async fn until_it_waits(world: &World) {
    until("the replay waits", || async {
        let query = "select exists (select from pg_stat_activity where datname = current_database()
                     and application_name = 'outbox-relay' and wait_event_type = 'Lock')";
        let waits: bool = sqlx::query_scalar(query).fetch_one(&world.pool).await.unwrap();
        waits.then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_replay_gives_up_a_database_that_stops_answering_whatever_it_was_asked() {
    in_a_world(async |world| {
        let publisher = Some(world.aggregatetype.as_str());
        for (table, publisher, expected) in [
            ("relay_cursor", publisher, "reading the relay's cursor: the database has not answered for 6s"),
            ("outbox_publisher", None, "reading the publisher: the database has not answered for 6s"),
            ("outbox", publisher, "reading the outbox: the database has not answered for 75s"),
        ] {
            let mut locking = PgConnection::connect_with(&world.options).await.unwrap();
            let lock = format!("begin; lock table {table} in access exclusive mode");
            sqlx::raw_sql(AssertSqlSafe(lock)).execute(&mut locking).await.unwrap();
            let replaying = ends_with(replay(&world.options, &world.kafka, publisher, around_now()));
            let (error, ()) = tokio::join!(replaying, async {
                until_it_waits(world).await;
                tokio::time::pause();
            });
            tokio::time::resume();
            assert_eq!(error, expected);
            locking.close().await.unwrap();
        }
    })
    .await;
}
