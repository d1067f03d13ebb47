//! Gaps in the numbers of the outbox.

use std::time::{Duration, Instant};

use outbox_relay::{Drained, Tenure};
use serde_json::json;
use sqlx::{Connection, PgConnection};

use crate::support::{World, append, in_a_world, lead, until};

/// Writes an event within an open transaction.
async fn append_in(world: &World, transaction: &mut PgConnection, name: &str) {
    append(transaction, &world.aggregatetype, "order-1", name, json!({})).await;
}

/// Drains until no gap is left.
async fn drain_through(tenure: &mut Tenure) {
    let tenure = tokio::sync::Mutex::new(tenure);
    until("the gap is passed", || async {
        (tenure.lock().await.drain().await.unwrap() == Drained::Empty).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_number_in_flight_is_waited_for_and_published_in_its_place() {
    in_a_world(async |world| {
        let mut tenure = lead(&world.relay()).await;
        let mut slow = world.pool.begin().await.unwrap();
        world.append("order-1", "First").await;
        append_in(world, &mut slow, "Second").await;
        world.append("order-1", "Third").await;

        assert_eq!(tenure.drain().await.unwrap(), Drained::Gap(2..=2));
        assert_eq!(world.published().await, ["First"]);
        assert_eq!(world.cursor().await, 1);

        slow.commit().await.unwrap();
        assert_eq!(tenure.drain().await.unwrap(), Drained::Empty);
        assert_eq!(world.published().await, ["First", "Second", "Third"]);
        assert_eq!(world.cursor().await, 3);
    })
    .await;
}

#[tokio::test]
async fn a_number_that_was_rolled_back_is_passed() {
    in_a_world(async |world| {
        let mut tenure = lead(&world.relay()).await;
        let mut failing = world.pool.begin().await.unwrap();
        append_in(world, &mut failing, "Never").await;
        world.append("order-1", "First").await;
        assert_eq!(tenure.drain().await.unwrap(), Drained::Gap(1..=1));

        failing.rollback().await.unwrap();
        drain_through(&mut tenure).await;
        assert_eq!(world.published().await, ["First"]);
        assert_eq!(world.cursor().await, 2);
    })
    .await;
}

/// A rule on snapshots (`xmin` has reached the `xmax` of when the gap was seen) would say at once that no writer is left, while
/// the transaction that holds the number is open: its id is above every one that has ended.
#[tokio::test]
async fn a_number_drawn_by_a_transaction_that_began_later_is_waited_for() {
    in_a_world(async |world| {
        let mut tenure = lead(&world.relay()).await;
        let mut earlier = world.pool.begin().await.unwrap();
        sqlx::query("select pg_current_xact_id()").execute(&mut *earlier).await.unwrap();
        let mut later = world.pool.begin().await.unwrap();
        append_in(world, &mut later, "First").await;
        append_in(world, &mut earlier, "Second").await;
        earlier.commit().await.unwrap();

        // Long past the age from which a gap is investigated.
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(100) {
            assert_eq!(tenure.drain().await.unwrap(), Drained::Gap(1..=1));
        }
        later.commit().await.unwrap();
        assert_eq!(tenure.drain().await.unwrap(), Drained::Empty);
        assert_eq!(world.published().await, ["First", "Second"]);
    })
    .await;
}

#[tokio::test]
async fn transactions_that_do_not_write_to_the_outbox_hold_nothing_up() {
    in_a_world(async |world| {
        let mut tenure = lead(&world.relay()).await;
        let mut elsewhere = world.pool.begin().await.unwrap();
        sqlx::raw_sql("create table rooms (room int); insert into rooms values (7)")
            .execute(&mut *elsewhere)
            .await
            .unwrap();
        let mut failing = world.pool.begin().await.unwrap();
        append_in(world, &mut failing, "Never").await;
        world.append("order-1", "First").await;
        failing.rollback().await.unwrap();

        drain_through(&mut tenure).await;
        assert_eq!(world.published().await, ["First"]);
        elsewhere.rollback().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_savepoint_that_was_rolled_back_leaves_a_gap_that_is_passed() {
    in_a_world(async |world| {
        let mut tenure = lead(&world.relay()).await;
        let mut transaction = world.pool.begin().await.unwrap();
        append_in(world, &mut transaction, "First").await;
        let mut savepoint = transaction.begin().await.unwrap();
        append_in(world, &mut savepoint, "Never").await;
        savepoint.rollback().await.unwrap();
        append_in(world, &mut transaction, "Second").await;
        transaction.commit().await.unwrap();

        drain_through(&mut tenure).await;
        assert_eq!(world.published().await, ["First", "Second"]);
    })
    .await;
}

#[tokio::test]
async fn writers_in_parallel_lose_nothing_and_keep_the_order_of_each_key() {
    in_a_world(async |world| {
        let mut tenure = lead(&world.relay()).await;
        sqlx::raw_sql(
            "create table held (key text primary key, n int not null); insert into held values ('a', 0), ('b', 0)",
        )
        .execute(&world.pool)
        .await
        .unwrap();
        let writers: Vec<_> = (0..6)
            .map(|writer| {
                let (pool, aggregatetype) = (world.pool.clone(), world.aggregatetype.clone());
                tokio::spawn(async move { write_and_sometimes_roll_back(&pool, &aggregatetype, writer).await })
            })
            .collect();
        while writers.iter().any(|writer| !writer.is_finished()) {
            tenure.drain().await.unwrap();
        }
        for writer in writers {
            writer.await.unwrap();
        }
        drain_through(&mut tenure).await;

        let records = world.records().await;
        for key in ["a", "b"] {
            let published: Vec<i64> = records
                .iter()
                .filter(|record| record.key == key)
                .map(|record| serde_json::from_str::<serde_json::Value>(&record.value).unwrap()["n"].as_i64().unwrap())
                .collect();
            let written: i32 =
                sqlx::query_scalar("select n from held where key = $1").bind(key).fetch_one(&world.pool).await.unwrap();
            assert_eq!(published, (1..=i64::from(written)).collect::<Vec<_>>(), "key {key}");
        }
    })
    .await;
}

/// As a service does: locks the row, increments it and writes an event; every fifth transaction fails.
async fn write_and_sometimes_roll_back(pool: &sqlx::PgPool, aggregatetype: &str, writer: usize) {
    for round in 0..60 {
        let key = ["a", "b"][(writer + round) % 2];
        let mut transaction = pool.begin().await.unwrap();
        let n: i32 = sqlx::query_scalar("update held set n = n + 1 where key = $1 returning n")
            .bind(key)
            .fetch_one(&mut *transaction)
            .await
            .unwrap();
        append(&mut *transaction, aggregatetype, key, "Counted", json!({ "n": n })).await;
        match round % 5 {
            4 => transaction.rollback().await.unwrap(),
            _ => transaction.commit().await.unwrap(),
        }
    }
}
