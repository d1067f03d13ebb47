//! Joining the group over a connection that falls silent.

use crate::{
    ALONE,
    broker_line::{BrokerLine, Lost},
    child::Child,
    eventually, kafka, publish,
    toy::{count, desk::Wanted, task},
    with_deadlines,
};

/// Kafka's client would wait for the response for as long as the group may wait for its slowest member.
#[tokio::test(flavor = "multi_thread")]
async fn a_question_to_join_that_is_never_answered_is_asked_again() {
    let _alone = ALONE.lock().await;
    let db = with_deadlines().await;
    for (lost, instance) in [(Lost::Request, &[][..]), (Lost::Answer, &[("KAFKA_INSTANCE_ID", "joins")])] {
        let line = BrokerLine::to(&kafka().brokers(), lost).await;
        let address = line.address();
        let program = Child::start(&db.url(), &[&[("KAFKA_BROKERS", address.as_str())], instance].concat());
        program.until_ready().await;
        assert!(line.has_caught(), "{lost:?}");
        let facts = task();
        publish(&Wanted { task: facts.clone() }, "joins").await;
        eventually("an event", async || count(&db, facts.task_id).await).await;
    }
}

/// A cluster whose controller takes its brokers for dead, under heavy load or during an upgrade, reports topics and no
/// brokers. Kafka's client then knows no address any more and sends no requests (librdkafka's issue 5301).
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_has_heard_of_no_brokers_at_all_comes_back() {
    let _alone = ALONE.lock().await;
    let db = with_deadlines().await;
    let line = BrokerLine::to(&kafka().brokers(), Lost::Nothing).await;
    let address = line.address();
    let program = Child::start(&db.url(), &[("KAFKA_BROKERS", address.as_str()), ("KAFKA_INSTANCE_ID", "brokerless")]);
    program.until_ready().await;
    line.without_brokers().await;
    let facts = task();
    publish(&Wanted { task: facts.clone() }, "brokerless").await;
    eventually("an event", async || count(&db, facts.task_id).await).await;
    program.until_ready().await;
}
