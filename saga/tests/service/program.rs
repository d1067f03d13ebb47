//! A whole program over Kafka: what cannot be processed is parked, the rest is processed in order, and nothing is lost.

use std::time::Duration;

use rdkafka::{
    Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    message::{Headers, OwnedMessage},
    producer::{FutureProducer, FutureRecord},
};
use saga::{
    Event, EventId, Program,
    config::Config,
    envelope::Envelope,
    publisher::{dead_letter_topic, source_of},
    testing::TestDatabase,
};

use crate::{
    brokers, eventually, kafka,
    toy::{Counter, MIGRATIONS, Task, count, database, desk::Nonsense, desk::Stumbled, desk::Wanted, task},
    within,
};

const TOPIC: &str = "desk.events";

fn config(db: &TestDatabase) -> Config {
    let (url, brokers) = (db.url(), brokers());
    let arguments = ["counter", "--database-url", &url, "--kafka-brokers", &brokers, "--http-addr", "127.0.0.1:0"];
    Config::from_arguments(arguments).expect("arguments")
}

/// A record as a test publishes it.
struct Letter {
    id: EventId,
    event_type: &'static str,
    value: Option<Vec<u8>>,
}

impl Letter {
    fn of<E: Event>(event: &E) -> Self {
        Letter::raw(E::TYPE, serde_json::to_vec(event).expect("JSON"))
    }

    fn raw(event_type: &'static str, value: impl Into<Vec<u8>>) -> Self {
        Letter { id: EventId::new(), event_type, value: Some(value.into()) }
    }

    fn headers(&self) -> Vec<(&'static str, String)> {
        let mut headers = Envelope {
            id: self.id,
            event_type: self.event_type.to_owned(),
            version: 1,
            source: source_of("desk"),
            subject: None,
            time: None,
            causation_id: None,
            traceparent: None,
        }
        .to_headers();
        headers.push(("x-of-our-own", "kept".to_owned()));
        headers
    }
}

/// Publishes under one key, so that all records are on one partition in this order; returns the partition and each
/// offset.
async fn publish(key: &str, letters: &[&Letter]) -> (i32, Vec<i64>) {
    let producer: FutureProducer = kafka(2).producer("test").create().expect("a producer");
    let mut partition = 0;
    let mut offsets = Vec::new();
    for letter in letters {
        let headers = saga::outbox::kafka::headers(&letter.headers());
        let mut record = FutureRecord::<str, [u8]>::to(TOPIC).key(key).headers(headers);
        record.payload = letter.value.as_deref();
        let delivered = producer.send(record, Duration::from_secs(10)).await.expect("published");
        partition = delivered.partition;
        offsets.push(delivered.offset);
    }
    (partition, offsets)
}

/// Id, offset, value and error of the events with this key that are parked and in the inbox, in order of arrival.
async fn parked(db: &TestDatabase, key: &str) -> Vec<(uuid::Uuid, i64, Option<Vec<u8>>, String)> {
    sqlx::query_as(
        "select event_id, record_offset, value, error from parked_events join inbox using (event_id)
         where key = $1 order by record_offset",
    )
    .bind(key.as_bytes())
    .fetch_all(db.pool())
    .await
    .expect("parked events can be read")
}

/// The dead letters with this key, from the topic's beginning, once there are this many.
async fn dead_letters(key: &str, how_many: usize) -> Vec<OwnedMessage> {
    let mut client = kafka(2).client("test");
    client.set("group.id", "test").set("enable.auto.commit", "false");
    let consumer: BaseConsumer = client.create().expect("a consumer");
    let topic = dead_letter_topic(TOPIC);
    let key = key.as_bytes().to_vec();
    let reading = tokio::task::spawn_blocking(move || {
        let metadata = consumer.fetch_metadata(Some(&topic), Duration::from_secs(10)).expect("Kafka answers");
        let mut all = TopicPartitionList::new();
        for partition in metadata.topics()[0].partitions() {
            all.add_partition_offset(&topic, partition.id(), Offset::Beginning).expect("an offset");
        }
        consumer.assign(&all).expect("assigned");
        let mut letters = Vec::new();
        while letters.len() < how_many {
            match consumer.poll(Duration::from_secs(10)) {
                Some(Ok(message)) if message.key() == Some(&key) => letters.push(message.detach()),
                Some(Ok(_)) => {}
                Some(Err(error)) => panic!("reading the dead letters: {error}"),
                None => panic!("waited 10 s for a dead letter; there are {}", letters.len()),
            }
        }
        letters
    });
    let mut letters = within("the dead letters", reading).await.expect("read");
    letters.sort_by_key(|letter| header(letter, "kafka_dlt-original-offset"));
    letters
}

fn header(message: &OwnedMessage, name: &str) -> Vec<u8> {
    let headers = message.headers().expect("it has headers");
    let header = headers.iter().find(|header| header.key == name);
    header.and_then(|header| header.value).unwrap_or_else(|| panic!("no header {name}")).to_vec()
}

/// The committed offset of the service's group.
async fn committed(partition: i32) -> Option<i64> {
    let mut client = kafka(2).client("test");
    client.set("group.id", "counter").set("enable.auto.commit", "false");
    let consumer: BaseConsumer = client.create().expect("a consumer");
    let asking = tokio::task::spawn_blocking(move || {
        let mut wanted = TopicPartitionList::new();
        wanted.add_partition(TOPIC, partition);
        let offsets = consumer.committed_offsets(wanted, Duration::from_secs(10)).expect("Kafka answers");
        match offsets.find_partition(TOPIC, partition)?.offset() {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        }
    });
    asking.await.expect("no panic")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_processed_is_put_aside_and_the_rest_goes_through_in_order() {
    let db = database().await;
    let good = task();
    let created = || Letter::of(&Wanted { task: good.clone() });
    let (first, second, last) = (created(), created(), created());
    let panics = Letter::of(&Stumbled { task: task() });
    let violates = Letter::of(&Wanted { task: Task { total: 1001, ..task() } });
    let no_json = Letter::raw(Wanted::TYPE, *b"\xff{not json");
    let refused = Letter::of(&Nonsense { task: good.clone() });
    let unknown = Letter::raw("NobodyKnowsThis", *b"{}");
    let tombstone = Letter { id: EventId::new(), event_type: Wanted::TYPE, value: None };

    let program = Program::new(Counter, config(&db), &MIGRATIONS).expect("a program");
    saga::topics::ensure(&kafka(2), "test", &saga::topics::needed_by(&<Counter as saga::Service>::table()))
        .await
        .expect("topics");
    // No saga's id: an unreadable record that names no saga.
    let key = format!("all of {}", good.task_id);
    let published = [&first, &panics, &second, &violates, &no_json, &refused, &unknown, &tombstone, &first, &last];
    let (partition, offsets) = publish(&key, &published).await;
    let running = tokio::spawn(program.run());

    eventually("the last event's count", || async { count(&db, good.task_id).await.filter(|count| *count == 300) })
        .await;

    // Three events counted, one of them delivered twice; each published once and in order.
    let causes: Vec<uuid::Uuid> =
        sqlx::query_scalar("select causationid from outbox where aggregateid = $1 order by seq")
            .bind(good.task_id.to_string())
            .fetch_all(db.pool())
            .await
            .expect("read");
    assert_eq!(causes, [first.id.0, second.id.0, last.id.0]);

    // The poison events are parked in full, each with its own error, and are in the inbox.
    let parked = eventually("two parked events", || async { Some(parked(&db, &key).await).filter(|p| p.len() == 2) });
    for ((id, offset, value, error), (poison, place, why)) in
        parked.await.into_iter().zip([(&panics, 1, "the counter stumbled"), (&violates, 3, "check constraint")])
    {
        assert_eq!((id, offset, value), (poison.id.0, offsets[place], poison.value.clone()));
        assert!(error.contains(why), "{error}");
    }

    // An unreadable or senseless record becomes a dead letter, unchanged.
    let letters = dead_letters(&key, 3).await;
    for ((letter, original), (place, class)) in
        letters.iter().zip([&no_json, &refused, &tombstone]).zip([(4, "Unreadable"), (5, "Refused"), (7, "Unreadable")])
    {
        assert_eq!(letter.payload(), original.value.as_deref());
        for (name, value) in original.headers() {
            assert_eq!(header(letter, name), value.as_bytes(), "{name}");
        }
        for (name, value) in [
            ("original-topic", TOPIC.as_bytes()),
            ("original-partition", &partition.to_be_bytes()),
            ("original-offset", &offsets[place].to_be_bytes()),
            ("original-timestamp-type", b"CreateTime"),
            ("original-consumer-group", b"counter"),
            ("exception-fqcn", class.as_bytes()),
        ] {
            assert_eq!(header(letter, &format!("kafka_dlt-{name}")), value, "{name}");
        }
        assert!(!header(letter, "kafka_dlt-exception-message").is_empty());
        assert_eq!(header(letter, "kafka_dlt-original-timestamp").len(), 8);
    }

    // On request it stops cleanly, and its group's offset is after the last record.
    nix::sys::signal::raise(nix::sys::signal::Signal::SIGTERM).expect("raised");
    within("the program to stop", running).await.expect("no panic").expect("stopped cleanly");
    let behind = offsets.last().expect("ten records") + 1;
    eventually("the committed offset", || async { committed(partition).await.filter(|offset| *offset == behind) })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_whose_database_belongs_to_another_service_does_not_start() {
    let db = database().await;
    db.run("select declare_publisher('desk')").await;
    let program = Program::new(Counter, config(&db), &MIGRATIONS).expect("a program");
    let error = within("it to end", program.run()).await.expect_err("it would do harm");
    assert!(format!("{error:#}").contains("belongs to the publisher desk"), "{error:#}");
}
