//! Events and letters that exceed the program's patience with the database: they stop nothing for good.

use saga::{EventId, SagaId, config::Config, parked::desk};
use sqlx::Connection;
use uuid::Uuid;

use crate::{Ground, REPORTS, brokers, eventually};

/// The client gives up after a second, before any limit of the server: so every failure costs a connection.
fn impatient(ground: &Ground) -> Config {
    let url = ground.db.url();
    let sign = if url.contains('?') { '&' } else { '?' };
    let url = format!("{url}{sign}options=-c%20statement_timeout%3D0%20-c%20lock_timeout%3D0");
    let brokers = brokers();
    let arguments = ["notebook", "--database-url", &url, "--kafka-brokers", &brokers, "--http-addr", "127.0.0.1:0"];
    Config::from_arguments(arguments.into_iter().chain(["--database-timeout-ms", "1000"])).expect("arguments")
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_cost_the_connection_each_time_are_parked_and_all_others_are_done_once() {
    const SLOW: usize = 3;
    const LOCKED: usize = 9;
    let ground = Ground::prepare().await;
    ground
        .db
        .run(
            "create table slow (task_id uuid primary key);
             create table held (task_id uuid primary key);
             create table letters_written (record_offset bigint);
             create function stumble() returns trigger language plpgsql as $$
             begin
                 perform pg_sleep(3) from slow where task_id = new.task_id;
                 perform from held where task_id = new.task_id for update;
                 return new;
             end $$;
             create trigger stumble before insert on notes for each row execute function stumble();
             create function log_letter() returns trigger language plpgsql as $$
             begin insert into letters_written select new.record_offset where new.topic = 'reporter.events'; return new; end $$;
             create trigger log_letter before insert on dead_letters for each row execute function log_letter();",
        )
        .await;
    let orders: Vec<SagaId> = (0..12).map(|_| SagaId(Uuid::now_v7())).collect();
    sqlx::query("insert into slow values ($1)").bind(orders[SLOW].0).execute(ground.db.pool()).await.expect("noted");
    sqlx::query("insert into held values ($1)").bind(orders[LOCKED].0).execute(ground.db.pool()).await.expect("noted");
    let mut holder = ground.db.pool().acquire().await.expect("connected").detach();
    let mut held = holder.begin().await.expect("begun");
    sqlx::query("select from held for update").execute(&mut *held).await.expect("locked");

    let mut events: Vec<EventId> = Vec::new();
    for (note, order) in (0i64..).zip(&orders) {
        events.push(ground.note(*order, note).await);
    }
    let unreadable = ground.publish(REPORTS, "of no order", b"no JSON", &[("ce_type", "Reported")]).await;
    let last = SagaId(Uuid::now_v7());
    ground.note(last, 100).await;

    let running = ground.start_with::<1>(impatient(&ground));
    for place in [SLOW, LOCKED] {
        let parked = async || {
            let list = desk::list(ground.db.pool()).await.expect("listed");
            list.into_iter().any(|work| work.id == events[place].0).then_some(())
        };
        eventually("the next event to be parked", parked).await;
    }
    ground.noted(last, &[100]).await;
    for (note, order) in (0i64..).zip(&orders) {
        let is_parked = [SLOW as i64, LOCKED as i64].contains(&note);
        ground.noted(*order, if is_parked { &[] } else { std::slice::from_ref(&note) }).await;
    }
    let list = desk::list(ground.db.pool()).await.expect("listed");
    let ours = list.iter().filter(|work| orders.contains(&SagaId(work.saga_id)));
    assert_eq!(ours.count(), 2, "nothing else is parked");
    let letters = async || {
        let written: Vec<i64> =
            sqlx::query_scalar("select record_offset from letters_written where record_offset = $1")
                .bind(unreadable)
                .fetch_all(ground.db.pool())
                .await
                .expect("read");
        (!written.is_empty()).then_some(written)
    };
    assert_eq!(eventually("the dead letter", letters).await, [unreadable], "one letter, however often it is read");
    running.stop().await;
    held.rollback().await.expect("let go");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_letters_than_the_database_takes_in_one_go_are_written_all_the_same() {
    let ground = Ground::prepare().await;
    ground
        .db
        .run(
            "create function dawdle() returns trigger language plpgsql as $$
             begin perform pg_sleep(0.05); return new; end $$;
             create trigger dawdle before insert on dead_letters for each row execute function dawdle();",
        )
        .await;
    for _ in 0..60 {
        ground.publish(REPORTS, "of no order", b"no JSON", &[("ce_type", "Reported")]).await;
    }
    let order = SagaId(Uuid::now_v7());
    ground.note(order, 1).await;
    let running = ground.start_with::<1>(impatient(&ground));
    ground.noted(order, &[1]).await;
    let last = crate::behind::end(&ground).await - 1;
    crate::behind::until_passed(&ground, last).await;
    running.stop().await;
}
