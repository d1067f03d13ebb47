//! Whole programs in processes of their own, in trouble: silent databases, taken ports and names, hostile batches.

#[path = "../service/line.rs"]
mod line;
#[path = "../service/toy.rs"]
#[expect(dead_code, reason = "the other tests need more of the toy")]
mod toy;

mod batches;
mod broker_line;
mod child;
mod ends;
mod joins;
mod silence;
mod topic;

use saga::transport::Transport;
use std::time::Duration;

use rdkafka::producer::{FutureProducer, FutureRecord};
use saga::{
    Event, EventId, Service,
    config::{Cluster, Kafka},
    envelope::Envelope,
    publisher::source_of,
    testing::TestDatabase,
};

/// One test at a time: all programs share one consumer group.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

fn kafka() -> Cluster {
    let brokers = std::env::var("TEST_KAFKA_BROKERS").expect("TEST_KAFKA_BROKERS is set: `make test` starts a Kafka");
    let kafka = Kafka {
        kafka_brokers: vec![brokers],
        kafka_prefix: Default::default(),
        kafka_partitions: 2,
        kafka_replication: Some(1),
        kafka_instance_id: None,
        kafka_topics: Default::default(),
        kafka_sasl: Default::default(),
    };
    kafka.over(&Transport::plain())
}

async fn topics() {
    saga::topics::ensure(&kafka(), "test", &saga::topics::needed_by(&toy::Counter::table())).await.expect("topics");
}

/// A database with all that the program needs, deadlines included, and its topics.
async fn with_deadlines() -> TestDatabase {
    let db = toy::database().await;
    db.run("create table due (task_id uuid primary key)").await;
    topics().await;
    db
}

async fn publish<E: Event>(event: &E, key: &str) {
    let envelope = Envelope {
        id: EventId::new(),
        event_type: E::TYPE.to_owned(),
        version: 1,
        source: source_of("desk"),
        subject: None,
        time: None,
        causation_id: None,
        traceparent: None,
    };
    let headers = saga::outbox::kafka::headers(&envelope.to_headers());
    let producer: FutureProducer = kafka().producer("test").create().expect("a producer");
    let value = serde_json::to_vec(event).expect("JSON");
    let record = FutureRecord::to(E::PUBLISHER.topic()).key(key).payload(&value).headers(headers);
    producer.send(record, Duration::from_secs(10)).await.expect("published");
}

/// Bound for any wait of a test.
const BOUND: Duration = Duration::from_secs(180);

/// Polls until there is an answer.
async fn eventually<T>(what: &str, ask: impl AsyncFn() -> Option<T>) -> T {
    saga::testing::eventually(BOUND, what, ask).await
}
