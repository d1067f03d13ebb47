//! The brokers that the runner starts: records can be written and read, and nothing is left when they stop.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails as a test does")]

use saga::outbox::kafka::Cluster;
use std::time::Duration;
use transport::Transport;

use events::publisher::{self, dead_letter_topic};
use rdkafka::{
    ClientConfig, Message,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer, StreamConsumer},
    producer::{FutureProducer, FutureRecord, Producer},
};
use scenarios::{
    archive,
    stack::{Embedded, Kafka, Reporter, StateDir},
};

const PATIENCE: Duration = Duration::from_secs(30);

fn client(brokers: &str) -> ClientConfig {
    let mut client = Transport::plain().kafka(brokers);
    client.set("group.id", "reader").set("auto.offset.reset", "earliest");
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
    for publisher in publisher::all() {
        for topic in [publisher.topic().to_owned(), dead_letter_topic(publisher.topic())] {
            let found = metadata.topics().iter().find(|found| found.name() == topic).expect(&topic);
            assert_eq!(found.partitions().len(), 3, "{topic}");
        }
    }
    gives_back_what_it_took(embedded.brokers(), publisher::CLIENT.topic(), b"value").await;
}

/// A transaction marker is not a record that a consumer could be expected to read.
async fn transactions_leave_offsets_without_records(brokers: &str, topic: &str) {
    let mut producer = client(brokers);
    let producer: FutureProducer = producer.set("transactional.id", "somebody").create().unwrap();
    producer.init_transactions(PATIENCE).unwrap();
    let mut ends = Vec::new();
    for commits in [true, false] {
        producer.begin_transaction().unwrap();
        let record = FutureRecord::to(topic).partition(1).key("key").payload("value");
        producer.send(record, PATIENCE).await.unwrap();
        if commits { producer.commit_transaction(PATIENCE) } else { producer.abort_transaction(PATIENCE) }.unwrap();
        let (brokers, topic) = (brokers.to_owned(), topic.to_owned());
        let kept =
            tokio::task::spawn_blocking(move || archive::kept(&Cluster::at(&brokers, &Transport::plain()), &[topic]))
                .await
                .unwrap()
                .unwrap();
        ends.push(kept.into_iter().find(|((_, partition), _)| *partition == 1).unwrap().1.end);
    }
    let place = (topic.to_owned(), 1);
    let holds = async |offsets: std::ops::Range<i64>| {
        let (brokers, offsets) = (brokers.to_owned(), archive::Offsets::from([(place.clone(), offsets)]));
        let held = tokio::task::spawn_blocking(move || {
            archive::with_records(&Cluster::at(&brokers, &Transport::plain()), offsets)
        })
        .await;
        !held.unwrap().unwrap().is_empty()
    };
    let committed = ends[0] - 2..ends[0];
    assert!(holds(committed.clone()).await, "a record and its marker");
    assert!(!holds(committed.start + 1..committed.end).await, "a marker");
    assert!(!holds(ends[0]..ends[1]).await, "what was taken back, and its marker");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn apache_kafka_takes_large_records_makes_no_topic_by_itself_and_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let state = StateDir::create_in(directory.path()).unwrap();
    let kafka = Kafka::start(&state, 3, &[], None, &Reporter::silent().step("")).await.unwrap();
    let admin: AdminClient<DefaultClientContext> = client(kafka.brokers()).create().unwrap();
    let topic = NewTopic::new("orders", 3, TopicReplication::Fixed(1));
    admin.create_topics([&topic], &AdminOptions::new()).await.unwrap().remove(0).unwrap();
    gives_back_what_it_took(kafka.brokers(), "orders", &vec![b'v'; 1_500_000]).await;
    transactions_leave_offsets_without_records(kafka.brokers(), "orders").await;

    let mut producer = client(kafka.brokers());
    let producer: FutureProducer = producer.set("message.timeout.ms", "2000").create().unwrap();
    let unknown = producer.send(FutureRecord::<str, str>::to("unknown").payload("value"), PATIENCE).await;
    assert!(unknown.is_err(), "a topic that nobody made");

    let pid = kafka.pid().unwrap();
    kafka.stop().await.unwrap();
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
}
