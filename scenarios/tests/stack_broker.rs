//! The brokers that the runner starts: what is put in comes out again, and nothing is left when they stop.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails as a test does")]

use std::time::Duration;

use events::{Publisher, publisher::dead_letter_topic};
use rdkafka::{
    ClientConfig, Message,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer, StreamConsumer},
    producer::{FutureProducer, FutureRecord},
};
use scenarios::stack::{Embedded, Kafka, Reporter, StateDir};

const PATIENCE: Duration = Duration::from_secs(30);

fn client(brokers: &str) -> ClientConfig {
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", brokers).set("group.id", "reader").set("auto.offset.reset", "earliest");
    client
}

async fn gives_back_what_it_took(brokers: &str, topic: &str, value: &[u8]) {
    let mut producer = client(brokers);
    producer.set("enable.idempotence", "true").set("message.max.bytes", "2000000");
    let producer: FutureProducer = producer.create().unwrap();
    producer.send(FutureRecord::to(topic).key("key").payload(value), PATIENCE).await.unwrap();

    let consumer: StreamConsumer = client(brokers).create().unwrap();
    consumer.subscribe(&[topic]).unwrap();
    let record = tokio::time::timeout(PATIENCE, consumer.recv()).await.expect("a record within the bound").unwrap();
    assert_eq!(record.key(), Some(&b"key"[..]));
    assert_eq!(record.payload(), Some(value));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedded_broker_has_every_topic_and_gives_back_what_it_took() {
    let embedded = Embedded::start(3).await.unwrap();
    let consumer: BaseConsumer = client(embedded.brokers()).create().unwrap();
    let metadata = consumer.fetch_metadata(None, PATIENCE).unwrap();
    for publisher in Publisher::all() {
        for topic in [publisher.topic().to_owned(), dead_letter_topic(publisher.topic())] {
            let found = metadata.topics().iter().find(|found| found.name() == topic).expect(&topic);
            assert_eq!(found.partitions().len(), 3, "{topic}");
        }
    }
    gives_back_what_it_took(embedded.brokers(), Publisher::Client.topic(), b"value").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn apache_kafka_takes_large_records_makes_no_topic_by_itself_and_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let state = StateDir::create_in(directory.path()).unwrap();
    let kafka = Kafka::start(&state, 3, &[], &Reporter::silent().step("")).await.unwrap();
    let admin: AdminClient<DefaultClientContext> = client(kafka.brokers()).create().unwrap();
    let topic = NewTopic::new("orders", 3, TopicReplication::Fixed(1));
    admin.create_topics([&topic], &AdminOptions::new()).await.unwrap().remove(0).unwrap();
    gives_back_what_it_took(kafka.brokers(), "orders", &vec![b'v'; 1_500_000]).await;

    let mut producer = client(kafka.brokers());
    let producer: FutureProducer = producer.set("message.timeout.ms", "2000").create().unwrap();
    let unknown = producer.send(FutureRecord::<str, str>::to("unknown").payload("value"), PATIENCE).await;
    assert!(unknown.is_err(), "a topic that nobody made");

    let pid = kafka.pid().unwrap();
    kafka.stop().await.unwrap();
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
}
