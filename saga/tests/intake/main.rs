//! Input of any kind from Kafka, in a whole program over a real Kafka: nothing stops a partition, nothing is lost,
//! nothing overtakes, and a database that has lost its latest transactions gets them again.

mod away;
mod behind;
mod newer;
mod oversize;
mod poison;
mod toy;

use saga::transport::Transport;
use std::time::Duration;

use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer},
    error::KafkaError,
    message::{Headers, OwnedMessage},
    producer::{FutureProducer, FutureRecord},
};
use saga::{EventId, Program, SagaId, config::Config, testing::TestDatabase};
use tokio::{
    sync::{Mutex, MutexGuard},
    task::JoinHandle,
};

use toy::{MIGRATIONS, Notebook, database};

const REPORTS: &str = "reporter.events";
const WITHDRAWALS: &str = "archive.events";
const REQUESTS: &str = "desk.requests";

/// One program at a time: they share one consumer group, and a signal reaches all of them.
static ALONE: Mutex<()> = Mutex::const_new(());

fn brokers() -> String {
    std::env::var("TEST_KAFKA_BROKERS").expect("TEST_KAFKA_BROKERS is set: `make test` starts a Kafka")
}

fn config(db: &TestDatabase) -> Config {
    let (url, brokers) = (db.url(), brokers());
    Config::from_arguments([
        "notebook",
        "--database-url",
        &url,
        "--kafka-brokers",
        &brokers,
        "--http-addr",
        "127.0.0.1:0",
    ])
    .expect("arguments")
}

/// A database, and topics as others may have created them: they accept ten megabytes with any compression. The dead
/// letter topic of `archive.events` accepts next to nothing.
struct Ground {
    db: TestDatabase,
    producer: FutureProducer,
    _alone: MutexGuard<'static, ()>,
}

impl Ground {
    async fn prepare() -> Self {
        let alone = ALONE.lock().await;
        let db = database().await;
        let admin: AdminClient<DefaultClientContext> =
            config(&db).kafka.clone().over(&Transport::plain()).client("test").create().expect("a client");
        let topics = [(REPORTS, "10000000"), (WITHDRAWALS, "10000000"), ("archive.events-dlt", "150")];
        let topics = topics
            .map(|(name, bytes)| NewTopic::new(name, 1, TopicReplication::Fixed(1)).set("max.message.bytes", bytes));
        admin.create_topics(&topics, &AdminOptions::new()).await.expect("Kafka answers");
        let producer = producer("none").create().expect("a producer");
        Ground { db, producer, _alone: alone }
    }

    /// Starts one version of the program.
    fn start<const VERSION: u8>(&self) -> Running {
        self.start_with::<VERSION>(config(&self.db))
    }

    fn start_with<const VERSION: u8>(&self, config: Config) -> Running {
        let program = Program::new(Notebook::<VERSION>, config, &MIGRATIONS).expect("a program");
        Running(tokio::spawn(program.run()))
    }

    async fn publish(&self, topic: &str, key: &str, value: &[u8], headers: &[(&str, &str)]) -> i64 {
        publish(&self.producer, topic, key, value, headers).await.expect("published")
    }

    /// An event of the payment service that notes this.
    async fn note(&self, order: SagaId, note: i64) -> EventId {
        self.say(order, serde_json::json!({ "task_id": order, "note": note })).await
    }

    /// Any event of the payment service about this order.
    async fn say(&self, order: SagaId, data: serde_json::Value) -> EventId {
        self.publish_event(order, "Reported", &[], data).await
    }

    /// An event of the reporter that counts, in this version of its schema.
    async fn counted(&self, order: SagaId, version: u32, count: i64) -> EventId {
        let data = serde_json::json!({ "task_id": order, "count": count });
        self.publish_event(order, "Counted", &[("ce_dataversion", &version.to_string())], data).await
    }

    async fn publish_event(
        &self,
        order: SagaId,
        event_type: &str,
        further: &[(&str, &str)],
        data: serde_json::Value,
    ) -> EventId {
        let id = EventId::new();
        let headers = envelope(id, event_type, "/services/reporter");
        let headers = headers.iter().map(|(name, value)| (*name, value.as_str())).chain(further.iter().copied());
        let headers: Vec<(&str, &str)> = headers.collect();
        self.publish(REPORTS, &order.to_string(), data.to_string().as_bytes(), &headers).await;
        id
    }

    async fn noted(&self, order: SagaId, expected: &[i64]) {
        let what = format!("the notes {expected:?}");
        eventually(&what, async || (toy::notes(&self.db, order).await == expected).then_some(())).await;
    }
}

struct Running(JoinHandle<anyhow::Result<()>>);

impl Running {
    async fn stop(self) {
        nix::sys::signal::raise(nix::sys::signal::Signal::SIGTERM).expect("raised");
        let ended = tokio::time::timeout(Duration::from_secs(30), self.0).await.expect("it stops within 30 s");
        ended.expect("no panic").expect("stopped cleanly");
    }
}

fn envelope(id: EventId, event_type: &str, source: &str) -> [(&'static str, String); 4] {
    [
        ("ce_specversion", "1.0".to_owned()),
        ("ce_id", id.to_string()),
        ("ce_type", event_type.to_owned()),
        ("ce_source", source.to_owned()),
    ]
}

fn producer(compression: &str) -> ClientConfig {
    let mut producer = Transport::plain().kafka(&brokers());
    producer
        .set("message.max.bytes", "10000000")
        .set("compression.type", compression)
        .set("message.timeout.ms", "20000");
    producer
}

/// Publishes on the first partition; returns the record's offset.
async fn publish(
    producer: &FutureProducer,
    topic: &str,
    key: &str,
    value: &[u8],
    headers: &[(&str, &str)],
) -> Result<i64, KafkaError> {
    let headers = saga::outbox::kafka::headers(headers);
    let record = FutureRecord::to(topic).partition(0).key(key).payload(value).headers(headers);
    let delivered = producer.send(record, Duration::from_secs(20)).await.map_err(|(error, _)| error)?;
    Ok(delivered.offset)
}

/// The dead letter of the record at this offset of the first partition.
async fn letter(topic: &str, offset: i64) -> OwnedMessage {
    let mut client = Transport::plain().kafka(&brokers());
    client.set("group.id", "test").set("enable.auto.commit", "false");
    let consumer: BaseConsumer = client.create().expect("a consumer");
    let topic = format!("{topic}-dlt");
    let reading = tokio::task::spawn_blocking(move || {
        let metadata = consumer.fetch_metadata(Some(&topic), Duration::from_secs(10)).expect("Kafka answers");
        let mut all = TopicPartitionList::new();
        for partition in metadata.topics()[0].partitions() {
            all.add_partition_offset(&topic, partition.id(), Offset::Beginning).expect("an offset");
        }
        consumer.assign(&all).expect("assigned");
        loop {
            match consumer.poll(Duration::from_secs(30)) {
                Some(Ok(message)) => {
                    let letter = message.detach();
                    if header(&letter, "kafka_dlt-original-offset") == Some(offset.to_be_bytes().to_vec()) {
                        return letter;
                    }
                }
                Some(Err(error)) => panic!("reading the dead letters: {error}"),
                None => panic!("waited 30 s for the dead letter of offset {offset}"),
            }
        }
    });
    reading.await.expect("read")
}

fn header(message: &OwnedMessage, name: &str) -> Option<Vec<u8>> {
    let header = message.headers()?.iter().find(|header| header.key == name);
    header.and_then(|header| header.value).map(<[u8]>::to_vec)
}

/// Bound for any wait of a test.
const BOUND: Duration = Duration::from_secs(60);

/// Polls until there is an answer.
async fn eventually<T>(what: &str, ask: impl AsyncFn() -> Option<T>) -> T {
    saga::testing::eventually(BOUND, what, ask).await
}
