//! A topic that is deleted while a program reads it.

use events::order::OrderCreated;
use kit::testing::{digital, order};
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;

use crate::{
    ALONE,
    child::Child,
    eventually, kafka, publish, topics,
    toy::{count, database},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_deleted_is_noticed_and_read_again_when_it_is_back() {
    let _alone = ALONE.lock().await;
    let db = database().await;
    db.run("create table due (order_id uuid primary key)").await;
    topics().await;
    let program = Child::start(&db.url(), &[]);
    program.until_ready().await;

    let admin: AdminClient<DefaultClientContext> = kafka().client("test").create().expect("a client");
    let deleted = admin.delete_topics(&["order.events"], &AdminOptions::new()).await.expect("asked");
    deleted[0].as_ref().expect("deleted");
    let why = program.until_not_ready().await;
    assert!(why.contains("consumer: "), "{why}");

    topics().await;
    program.until_ready().await;
    let facts = order([digital(1, 1)]);
    publish(&OrderCreated { order: facts.clone() }, "topic").await;
    eventually("an event on the new topic", async || count(&db, facts.order_id).await).await;
}
