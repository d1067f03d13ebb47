//! The relay in its own loop, as the program runs it.

use outbox_relay::{Standing, Timing};
use process::shutdown::Shutdown;
use sqlx::Row;

use crate::support::{World, in_a_world, until};

#[tokio::test]
async fn it_publishes_what_comes_and_stops_cleanly() {
    in_a_world(async |world| {
        let relay = world.relay();
        let (stop, shutdown) = Shutdown::by_hand();
        let running = tokio::spawn({
            let relay = relay.clone();
            async move { relay.run(&shutdown).await }
        });
        until("it leads", || async { (relay.standing() == Standing::Leading).then_some(()) }).await;
        world.append("order-1", "First").await;
        published(world, &["First"]).await;
        world.append("order-1", "Second").await;
        published(world, &["First", "Second"]).await;

        stop.now();
        running.await.unwrap();
        assert_eq!(relay.standing(), Standing::Away);
        let row = sqlx::query("select last_seq, holder, lease_until is null from relay_cursor")
            .fetch_one(&world.pool)
            .await
            .unwrap();
        assert_eq!((row.get::<i64, _>(0), row.get::<Option<String>, _>(1), row.get::<bool, _>(2)), (2, None, true));
    })
    .await;
}

#[tokio::test]
async fn a_notification_is_heard_long_before_the_next_poll() {
    in_a_world(async |world| {
        let relay = world.relay_with(Timing { max_poll: std::time::Duration::from_secs(600), ..Timing::default() });
        let (stop, shutdown) = Shutdown::by_hand();
        let running = tokio::spawn(async move { relay.run(&shutdown).await });
        listening(world).await;
        // The poll interval doubles from 1 ms: soon after this row it is long.
        world.append("order-1", "First").await;
        for _ in 0..12 {
            world.append("order-1", "Next").await;
            outbox::notify(&mut world.pool.acquire().await.unwrap()).await.unwrap();
        }
        until("all are published", || async { (world.published().await.len() == 13).then_some(()) }).await;
        stop.now();
        running.await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn tables_that_are_not_there_yet_are_waited_for() {
    in_a_world(async |world| {
        sqlx::raw_sql("alter table relay_cursor rename to not_yet").execute(&world.pool).await.unwrap();
        assert!(!statement_failed(world).await);
        let relay = world.relay();
        let (stop, shutdown) = Shutdown::by_hand();
        let running = tokio::spawn({
            let relay = relay.clone();
            async move { relay.run(&shutdown).await }
        });
        until("it has looked for its table", || async { statement_failed(world).await.then_some(()) }).await;
        assert_eq!(relay.standing(), Standing::Away);
        sqlx::raw_sql("alter table not_yet rename to relay_cursor").execute(&world.pool).await.unwrap();
        until("it leads", || async { (relay.standing() == Standing::Leading).then_some(()) }).await;
        stop.now();
        running.await.unwrap();
    })
    .await;
}

async fn published(world: &World, types: &[&str]) {
    until("the events are on Kafka", || async { (world.published().await == types).then_some(()) }).await;
}

async fn listening(world: &World) {
    until("it listens", || async { a_session_listens(world).await.then_some(()) }).await;
}

async fn a_session_listens(world: &World) -> bool {
    sqlx::query_scalar(
        "select exists (select from pg_stat_activity
         where datname = current_database() and application_name = 'outbox-relay' and query like 'LISTEN%')",
    )
    .fetch_one(&world.pool)
    .await
    .unwrap()
}

/// True if a statement has ever failed in the world's database. The session that it failed in lasts less than a millisecond, too
/// short to be observed; this counter stays.
async fn statement_failed(world: &World) -> bool {
    sqlx::query_scalar("select xact_rollback > 0 from pg_stat_database where datname = current_database()")
        .fetch_one(&world.pool)
        .await
        .unwrap()
}
