//! A topic that is deleted while a program reads it.

use rdkafka::{
    admin::{AdminClient, AdminOptions},
    client::DefaultClientContext,
    error::KafkaError,
    types::RDKafkaErrorCode,
};

use crate::{
    ALONE,
    child::Child,
    eventually, kafka, publish, topics,
    toy::{count, database, desk::Wanted, task},
};

const TOPIC: &str = "desk.events";

/// Deletes the topic, and waits until the broker no longer knows it.
async fn delete() {
    let admin: AdminClient<DefaultClientContext> = kafka().client("test").create().expect("a client");
    let options = AdminOptions::new();
    eventually("the end of the topic", async || {
        match &admin.delete_topics(&[TOPIC], &options).await.expect("asked")[0] {
            Err((_, RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic)) => Some(()),
            Err((_, code)) => panic!("{}", KafkaError::AdminOp(*code)),
            Ok(_) => None,
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_deleted_is_noticed_and_read_again_when_it_is_back() {
    let _alone = ALONE.lock().await;
    let db = database().await;
    db.run("create table due (task_id uuid primary key)").await;
    delete().await;
    topics().await;
    let program = Child::start(&db.url(), &[]);
    program.until_ready().await;
    // The old position, 1, is also valid in the recreated topic. Only the fact that the topic was missing shows that the
    // position means nothing any more.
    let before = task();
    publish(&Wanted { task: before.clone() }, "topic").await;
    eventually("an event on the old topic", async || count(&db, before.task_id).await).await;
    eventually("a saved position", async || {
        let saved = sqlx::query("select from consumer_offsets where topic = $1 and next_offset = 1").bind(TOPIC);
        saved.fetch_optional(db.pool()).await.expect("the positions").map(drop)
    })
    .await;

    delete().await;
    let why = program.until_not_ready().await;
    assert!(why.contains("consumer: "), "{why}");

    topics().await;
    let facts = task();
    publish(&Wanted { task: facts.clone() }, "topic").await;
    program.until_ready().await;
    eventually("an event on the new topic", async || count(&db, facts.task_id).await).await;
}
