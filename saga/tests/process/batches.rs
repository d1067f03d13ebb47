//! Batches that a database does not accept within its timeouts: they shrink until one event stands alone.

use uuid::Uuid;

use crate::{
    ALONE,
    child::Child,
    eventually, publish, topics,
    toy::{Task, count, database, desk::Wanted, task},
    with_deadlines,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_takes_too_long_is_divided_and_an_event_that_takes_too_long_is_parked() {
    let _alone = ALONE.lock().await;
    let db = database().await;
    db.run("create table due (task_id uuid primary key)").await;
    // A slow database: every row takes time, and one of them never finishes.
    db.run(
        "create function slowly() returns trigger language plpgsql as $$
         begin
             perform pg_sleep(case new.count when 777 then 600 else 0.15 end);
             return new;
         end $$",
    )
    .await;
    db.run("create trigger slowly before insert on counts for each row execute function slowly()").await;
    topics().await;
    let orders: Vec<Task> = (0..24).map(|place| Task { total: if place == 8 { 777 } else { 1 }, ..task() }).collect();
    for order in &orders {
        // One partition, so that all arrive at once.
        publish(&Wanted { task: order.clone() }, "batch").await;
    }
    let program = Child::start(&db.url(), &[]);
    // Only these orders: the topic has events of other tests too.
    let ids: Vec<Uuid> = orders.iter().map(|order| order.task_id.0).collect();
    let all_but_one = async || {
        let counted: i64 = sqlx::query_scalar("select count(*) from counts where task_id = any($1)")
            .bind(&ids)
            .fetch_one(db.pool())
            .await
            .expect("read");
        (counted == 23).then_some(())
    };
    eventually("all but one", all_but_one).await;
    assert_eq!(count(&db, orders[8].task_id).await, None);
    let parked_of_these = async || {
        let parked: Vec<(Uuid, String)> =
            sqlx::query_as("select order_id, status from parked_events where order_id = any($1)")
                .bind(&ids)
                .fetch_all(db.pool())
                .await
                .expect("read");
        (!parked.is_empty()).then_some(parked)
    };
    let parked = eventually("the one is parked", parked_of_these).await;
    assert_eq!(parked, [(orders[8].task_id.0, "parked".to_owned())]);
    program.until_ready().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_parked_while_the_database_takes_nothing_at_all() {
    let _alone = ALONE.lock().await;
    let db = with_deadlines().await;
    let program = Child::start(&db.url(), &[("DATABASE_TIMEOUT_MS", "1000")]);
    program.until_ready().await;
    let mut lock = db.pool().begin().await.expect("begun");
    sqlx::query("lock table counts in access exclusive mode").execute(&mut *lock).await.expect("locked");
    let facts = task();
    publish(&Wanted { task: facts.clone() }, "locked").await;
    // Long enough for several tries.
    let tried = async || {
        let why = program.until_not_ready().await;
        let consumer =
            why.split("; ").find(|part| part.starts_with("not ready: consumer") || part.starts_with("consumer"))?;
        let seconds = consumer.rsplit_once("for ")?.1.split(' ').next()?;
        seconds.parse::<f64>().ok().filter(|seconds| *seconds > 5.0)
    };
    eventually("several tries", tried).await;
    let parked: i64 = sqlx::query_scalar("select count(*) from parked_events where order_id = $1")
        .bind(facts.task_id.0)
        .fetch_one(db.pool())
        .await
        .expect("read");
    assert_eq!(parked, 0, "a lock that somebody holds is no fault of the event");
    lock.rollback().await.expect("let go");
    eventually("the event", async || count(&db, facts.task_id).await).await;
    program.until_ready().await;
}
