//! A database without its latest transactions, as after a restore or a failover: Kafka's offsets are ahead of it.

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use saga::transport::Transport;
use saga::{EventId, SagaId, testing::TestDatabase};
use uuid::Uuid;

use crate::{Ground, REPORTS, REQUESTS, brokers, eventually};

/// Positions of the first partition: the database's saved one, and Kafka's committed one.
async fn positions(db: &TestDatabase) -> (Option<i64>, Option<i64>) {
    use rdkafka::{Offset, TopicPartitionList};
    let saved = sqlx::query_scalar("select next_offset from consumer_offsets where topic = $1 and partition = 0")
        .bind(REPORTS)
        .fetch_optional(db.pool())
        .await
        .expect("positions can be read");
    let asking = tokio::task::spawn_blocking(|| {
        let mut client = Transport::plain().kafka(&brokers());
        client.set("group.id", "notebook").set("enable.auto.commit", "false");
        let consumer: BaseConsumer = client.create().expect("a consumer");
        let mut wanted = TopicPartitionList::new();
        wanted.add_partition(REPORTS, 0);
        let committed = consumer.committed_offsets(wanted, std::time::Duration::from_secs(10)).expect("Kafka answers");
        match committed.elements()[0].offset() {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        }
    });
    (saved, asking.await.expect("no panic"))
}

/// Waits until both positions are past the record at this offset.
pub(crate) async fn until_passed(ground: &Ground, offset: i64) {
    let passed = async || match positions(&ground.db).await {
        (Some(saved), Some(committed)) => (saved > offset && committed > offset).then_some(()),
        _ => None,
    };
    eventually("both positions", passed).await;
}

/// Removes from the database whatever came after `position`, as if its server had been replaced by one that never had it.
async fn lose_the_tail(ground: &Ground, position: i64, tail: &[EventId], order: SagaId) {
    let tail: Vec<Uuid> = tail.iter().map(|id| id.0).collect();
    let mut db = ground.db.pool().begin().await.expect("begun");
    let inbox = sqlx::query("delete from inbox where event_id = any($1)").bind(&tail);
    let notes = sqlx::query("delete from notes where task_id = $1 and note > 1").bind(order.0);
    let offsets = sqlx::query("update consumer_offsets set next_offset = least(next_offset, $1) where topic = $2");
    for lost in [inbox, notes, offsets.bind(position).bind(REPORTS)] {
        assert!(lost.execute(&mut *db).await.expect("deleted").rows_affected() > 0);
    }
    db.commit().await.expect("committed");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_the_database_has_lost_are_read_again_at_the_next_start() {
    let ground = Ground::prepare().await;
    let order = SagaId(Uuid::now_v7());
    let running = ground.start::<1>();
    ground.note(order, 1).await;
    ground.noted(order, &[1]).await;
    let position = end(&ground).await;
    until_passed(&ground, position - 1).await;
    let tail = [ground.note(order, 2).await, ground.note(order, 3).await];
    ground.noted(order, &[1, 2, 3]).await;
    until_passed(&ground, end(&ground).await - 1).await;
    running.stop().await;

    lose_the_tail(&ground, position, &tail, order).await;
    let running = ground.start::<1>();
    ground.noted(order, &[1, 2, 3]).await;
    running.stop().await;

    // And nothing that it still has is applied twice.
    let running = ground.start::<1>();
    ground.note(order, 4).await;
    ground.noted(order, &[1, 2, 3, 4]).await;
    running.stop().await;
}

/// The server is replaced under a running program, which sees only that its connections break.
#[tokio::test(flavor = "multi_thread")]
async fn events_that_the_database_has_lost_are_read_again_by_a_program_that_goes_on() {
    let ground = Ground::prepare().await;
    let order = SagaId(Uuid::now_v7());
    let running = ground.start::<1>();
    ground.note(order, 1).await;
    ground.noted(order, &[1]).await;
    let position = end(&ground).await;
    until_passed(&ground, position - 1).await;
    let tail = [ground.note(order, 2).await, ground.note(order, 3).await];
    ground.noted(order, &[1, 2, 3]).await;
    until_passed(&ground, end(&ground).await - 1).await;

    lose_the_tail(&ground, position, &tail, order).await;
    cut_all(&ground).await;
    ground.note(order, 4).await;
    ground.noted(order, &[1, 2, 3, 4]).await;
    running.stop().await;
}

/// The server is replaced just after another replica has taken over partitions: meanwhile none of the first replica's are
/// read.
#[tokio::test(flavor = "multi_thread")]
async fn events_that_the_database_has_lost_are_read_again_where_the_failover_meets_a_rebalance() {
    let ground = Ground::prepare().await;
    let order = SagaId(Uuid::now_v7());
    let running = ground.start::<1>();
    ground.note(order, 1).await;
    ground.noted(order, &[1]).await;
    let position = end(&ground).await;
    until_passed(&ground, position - 1).await;
    let tail = [ground.note(order, 2).await, ground.note(order, 3).await];
    ground.noted(order, &[1, 2, 3]).await;
    until_passed(&ground, end(&ground).await - 1).await;

    running.stop().await;
    // A replica that has used its database only to determine its starting offsets.
    let running = ground.start::<1>();
    let asked = async || {
        let asked = "select count(*) from pg_stat_activity where datname = current_database()
            and application_name = 'notebook' and query like 'select topic, partition, next_offset%'";
        let asked: i64 = sqlx::query_scalar(asked).fetch_one(ground.db.pool()).await.expect("asked");
        (asked > 0).then_some(())
    };
    eventually("it to ask where to begin", asked).await;

    // Another member of the group, which has some partitions of another topic.
    let (leave, leaving) = std::sync::mpsc::channel::<()>();
    let (joined, has_joined) = tokio::sync::oneshot::channel();
    let replica = tokio::task::spawn_blocking(move || {
        let mut client = Transport::plain().kafka(&brokers());
        client
            .set("group.id", "notebook")
            .set("enable.auto.commit", "false")
            .set("partition.assignment.strategy", "cooperative-sticky");
        let consumer: BaseConsumer = client.create().expect("a consumer");
        consumer.subscribe(&[REQUESTS]).expect("subscribed");
        let mut joined = Some(joined);
        while !matches!(leaving.try_recv(), Err(std::sync::mpsc::TryRecvError::Disconnected)) {
            let _nothing_that_matters = consumer.poll(std::time::Duration::from_millis(50));
            if consumer.assignment().expect("known").count() > 0
                && let Some(joined) = joined.take()
            {
                joined.send(()).expect("the test waits");
            }
        }
    });
    let within = std::time::Duration::from_secs(60);
    tokio::time::timeout(within, has_joined).await.expect("within a minute").expect("it has partitions");

    lose_the_tail(&ground, position, &tail, order).await;
    cut_all(&ground).await;
    drop(leave);
    replica.await.expect("no panic");
    // Without any event after the failover.
    ground.noted(order, &[1, 2, 3]).await;
    running.stop().await;
}

/// Breaks every connection of the program.
async fn cut_all(ground: &Ground) {
    let cut = "select count(pg_terminate_backend(pid)) from pg_stat_activity
        where datname = current_database() and application_name = 'notebook'";
    let cut: i64 = sqlx::query_scalar(cut).fetch_one(ground.db.pool()).await.expect("asked");
    assert!(cut > 0, "the program has connections");
}

/// The offset after the last record of the first partition.
pub(crate) async fn end(ground: &Ground) -> i64 {
    use rdkafka::producer::Producer;
    let producer = ground.producer.clone();
    let asking = tokio::task::spawn_blocking(move || {
        producer.client().fetch_watermarks(REPORTS, 0, std::time::Duration::from_secs(10)).expect("Kafka answers").1
    });
    asking.await.expect("no panic")
}
