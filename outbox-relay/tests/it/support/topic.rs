//! A topic for each test, and the records on it.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use outbox::kafka::Cluster;
use rdkafka::{
    Message, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer},
    message::{BorrowedMessage, Headers},
};

use super::{World, until};

pub(crate) const PARTITIONS: i32 = 3;
const PATIENCE: Duration = Duration::from_secs(20);

/// A record on Kafka.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) partition: i32,
    pub(crate) key: String,
    pub(crate) value: String,
    pub(crate) headers: BTreeMap<String, String>,
}

impl Record {
    pub(crate) fn event_type(&self) -> &str {
        &self.headers["ce_type"]
    }
}

impl World {
    pub(crate) fn topic(&self) -> String {
        format!("{}.events", self.aggregatetype)
    }

    pub(super) async fn create_topic(&self) {
        create_topic(&self.kafka, &self.topic()).await;
    }

    /// All records on the topic, those of each partition in order.
    pub(crate) async fn records(&self) -> Vec<Record> {
        let (kafka, topic) = (self.kafka.clone(), self.topic());
        tokio::task::spawn_blocking(move || read_all(&kafka, &topic)).await.unwrap()
    }

    /// The types of the events on the topic.
    pub(crate) async fn published(&self) -> Vec<String> {
        self.records().await.iter().map(|record| record.event_type().to_owned()).collect()
    }
}

/// Creates a topic and waits until the broker knows its partitions.
pub(crate) async fn create_topic(kafka: &Cluster, topic: &str) {
    let admin: AdminClient<DefaultClientContext> = kafka.client("test").create().unwrap();
    // The topic sets its own limit, lower than the client's, whatever the broker's default is.
    let wanted = NewTopic::new(topic, PARTITIONS, TopicReplication::Fixed(1)).set("max.message.bytes", "1000000");
    admin.create_topics([&wanted], &AdminOptions::new()).await.unwrap()[0].as_ref().unwrap();
    until("the topic has its partitions", || async {
        let metadata = admin.inner().fetch_metadata(Some(topic), PATIENCE).unwrap();
        let partitions = metadata.topics()[0].partitions();
        (partitions.len() == PARTITIONS as usize && partitions.iter().all(|partition| partition.leader() >= 0))
            .then_some(())
    })
    .await;
}

/// All records on a topic, those of each partition in order.
pub(crate) fn read_all(kafka: &Cluster, topic: &str) -> Vec<Record> {
    // The client requires a group. No offset is committed to it: every read starts at the beginning of the topic.
    let mut client = kafka.client("test");
    client.set("group.id", topic).set("enable.auto.commit", "false");
    let consumer: BaseConsumer = client.create().unwrap();
    let mut assignment = TopicPartitionList::new();
    let mut missing = 0;
    for partition in 0..PARTITIONS {
        let (low, high) = consumer.fetch_watermarks(topic, partition, PATIENCE).unwrap();
        assignment.add_partition_offset(topic, partition, Offset::Offset(low)).unwrap();
        missing += high - low;
    }
    consumer.assign(&assignment).unwrap();
    let mut records = Vec::new();
    while (records.len() as i64) < missing {
        let record = next_record(&consumer);
        let text = |bytes: Option<&[u8]>| String::from_utf8(bytes.unwrap_or_default().to_vec()).unwrap();
        let headers = record.headers().into_iter().flat_map(|headers| headers.iter());
        records.push(Record {
            partition: record.partition(),
            key: text(record.key()),
            value: text(record.payload()),
            headers: headers.map(|header| (header.key.to_owned(), text(header.value))).collect(),
        });
    }
    records
}

/// The next record. A poll that handles an event of the client itself returns None before its timeout, so only the clock ends the
/// wait.
fn next_record(consumer: &BaseConsumer) -> BorrowedMessage<'_> {
    let until = Instant::now() + PATIENCE;
    loop {
        match consumer.poll(until.saturating_duration_since(Instant::now())) {
            Some(record) => return record.unwrap(),
            None => assert!(Instant::now() < until, "a record below the high watermark within 20 s"),
        }
    }
}

/// The types of a key's events in the order of their first occurrences, since records may be repeated.
pub(crate) fn first_occurrences<'a>(records: &'a [Record], key: &str) -> Vec<&'a str> {
    let mut types: Vec<&str> = Vec::new();
    for record in records.iter().filter(|record| record.key == key) {
        if !types.contains(&record.event_type()) {
            types.push(record.event_type());
        }
    }
    types
}
