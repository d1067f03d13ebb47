//! Requests on the topic where they need the buyer's token: the whole program, over Kafka.

use std::{path::Path, time::Duration};

use access::{Grant, Issuer, Jwt, Verifier};
use events::{
    EventId, OrderId, Reason, UserId,
    account::BalanceRejected,
    envelope::Envelope,
    order_id, publisher,
    testing::{digital, order},
};
use order::{MIGRATIONS, Orders, Requests};
use rdkafka::{
    Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    message::{Headers as _, OwnedMessage},
    producer::{FutureProducer, FutureRecord},
};
use saga::{
    Event, Service as _,
    config::{Cluster, Config},
    publisher::{dead_letter_topic, source_of},
    record::Record,
    table::Verdict,
    testing::{TestDatabase, eventually, within},
    transport::Transport,
};
use serde_json::{Value, json};

use crate::{
    client::{one, shop, with},
    door::{AUDIENCE, ISSUER},
};

const SOON: Duration = Duration::from_secs(60);
const TOPIC: &str = "order.requests";

fn brokers() -> String {
    std::env::var("TEST_KAFKA_BROKERS").expect("TEST_KAFKA_BROKERS is set: `make test` starts Kafka for the tests")
}

fn kafka() -> Cluster {
    let mut cluster = Cluster::at(&brokers(), &Transport::plain());
    cluster.kafka.kafka_partitions = 2;
    cluster
}

fn config(db: &TestDatabase) -> Config {
    let (url, brokers) = (db.url(), brokers());
    let arguments = ["order", "--database-url", &url, "--kafka-brokers", &brokers, "--http-addr", "127.0.0.1:0"];
    Config::from_arguments(arguments).expect("arguments")
}

fn verifier(key_set: &Path) -> Verifier {
    let settings = Jwt {
        jwt_issuer: Some(ISSUER.to_owned()),
        jwt_audience: Some(AUDIENCE.to_owned()),
        jwt_jwks_file: Some(key_set.display().to_string()),
        jwt_leeway_seconds: 30,
        jwt_jwks_max_age_seconds: 3600,
        ..Jwt::default()
    };
    settings.verifier(true, || anyhow::bail!("it is a file")).expect("settings").expect("a verifier")
}

fn token(issuer: &Issuer, subject: &str) -> String {
    let grant = Grant { issuer: ISSUER, audience: AUDIENCE, subject, scopes: &[], ttl: SOON };
    format!("Bearer {}", issuer.grant(&grant).expect("signed"))
}

fn request(key: &str) -> Value {
    with(one(1), json!({ "idempotency_key": key }))
}

fn ordered_by(key: &str) -> OrderId {
    order_id::from_idempotency_key(UserId(1), key)
}

async fn publish(topic: &str, headers: &[(&str, &str)], value: &Value) {
    let producer: FutureProducer = kafka().producer("test").create().expect("a producer");
    let (headers, value) = (saga::outbox::kafka::headers(headers), value.to_string());
    // One key: one partition, in this order.
    let record = FutureRecord::<str, [u8]>::to(topic).key("tokens").headers(headers).payload(value.as_bytes());
    producer.send(record, Duration::from_secs(10)).await.expect("published");
}

/// An event that makes an order known here, without any request.
async fn publish_event(order: &events::Order) {
    let event = BalanceRejected { order: order.clone(), reason: Reason::InsufficientBalance };
    let envelope = Envelope {
        id: EventId::new(),
        event_type: BalanceRejected::TYPE.to_owned(),
        version: 1,
        source: source_of("account"),
        subject: Some(order.order_id.to_string()),
        time: None,
        causation_id: None,
        traceparent: None,
    };
    let headers = envelope.to_headers();
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    publish(publisher::ACCOUNT.topic(), &headers, &serde_json::to_value(event).expect("JSON")).await;
}

async fn exists(db: &TestDatabase, order: OrderId) -> bool {
    let found = sqlx::query_scalar("select exists (select from orders where id = $1)").bind(order.0);
    found.fetch_one(db.pool()).await.expect("read")
}

/// The dead letters of requests, once there are this many with these values.
async fn dead_letters(values: Vec<String>) -> Vec<OwnedMessage> {
    let mut client = kafka().client("test");
    client.set("group.id", "test").set("enable.auto.commit", "false");
    let consumer: BaseConsumer = client.create().expect("a consumer");
    let reading = tokio::task::spawn_blocking(move || {
        let topic = dead_letter_topic(TOPIC);
        let metadata = consumer.fetch_metadata(Some(&topic), Duration::from_secs(10)).expect("Kafka answers");
        let mut all = TopicPartitionList::new();
        for partition in metadata.topics()[0].partitions() {
            all.add_partition_offset(&topic, partition.id(), Offset::Beginning).expect("an offset");
        }
        consumer.assign(&all).expect("assigned");
        let mut letters: Vec<OwnedMessage> = Vec::new();
        while letters.len() < values.len() {
            match consumer.poll(Duration::from_secs(30)) {
                Some(Ok(message)) if values.iter().any(|value| message.payload() == Some(value.as_bytes())) => {
                    letters.push(message.detach());
                }
                Some(Ok(_)) => {}
                other => panic!("there are {} dead letters, and then {other:?}", letters.len()),
            }
        }
        letters.sort_by_key(|letter| values.iter().position(|value| letter.payload() == Some(value.as_bytes())));
        letters
    });
    within(SOON, "the dead letters", reading).await.expect("read")
}

fn text(letter: &OwnedMessage, name: &str) -> Option<String> {
    let header = letter.headers()?.iter().find(|header| header.key.eq_ignore_ascii_case(name))?;
    Some(String::from_utf8_lossy(header.value?).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_without_the_buyers_token_is_a_dead_letter_and_one_that_cannot_be_judged_waits() {
    let (db, folder) = (shop().await, tempfile::tempdir().expect("a folder"));
    let path = |name: &str| folder.path().join(name);
    let issuer = Issuer::open_or_create(&path("key.pem")).expect("a key");
    let attacker = Issuer::open_or_create(&path("attacker.pem")).expect("a key");
    // The issuer's keys cannot be read yet.
    let key_set = path("published.json");
    let orders = Orders { requests: Some(Requests::new(verifier(&key_set))), ..Orders::default() };
    saga::topics::ensure(&kafka(), "test", &saga::topics::needed_by(&Orders::table())).await.expect("topics");
    let running = tokio::spawn(saga::Program::new(orders, config(&db), &MIGRATIONS).expect("a program").run());

    let run = uuid::Uuid::now_v7();
    let key = |name: &str| format!("{name} of {run}");
    publish(TOPIC, &[("authorization", &token(&issuer, "1"))], &request(&key("early"))).await;
    let other = order([digital(1, 1)]);
    publish_event(&other).await;
    eventually(SOON, "an event of another topic", async || exists(&db, other.order_id).await.then_some(())).await;
    assert!(!exists(&db, ordered_by(&key("early"))).await, "it waits");

    std::fs::copy(Issuer::key_set_file(&path("key.pem")), &key_set).expect("published");
    let early = async || exists(&db, ordered_by(&key("early"))).await.then_some(());
    eventually(SOON, "the request that has waited", early).await;

    let refused = ["missing", "forged", "another's"].map(|name| request(&key(name)));
    publish(TOPIC, &[], &refused[0]).await;
    publish(TOPIC, &[("authorization", &token(&attacker, "1"))], &refused[1]).await;
    publish(TOPIC, &[("Authorization", &token(&issuer, "2")), ("kept", "1")], &refused[2]).await;
    publish(TOPIC, &[("authorization", &token(&issuer, "1"))], &request(&key("last"))).await;
    let last = async || exists(&db, ordered_by(&key("last"))).await.then_some(());
    eventually(SOON, "the request behind them", last).await;

    let letters = dead_letters(refused.iter().map(Value::to_string).collect()).await;
    let reasons = ["has not one header authorization", "names no key of the issuer", "the token is user 2's"];
    for ((letter, name), reason) in letters.iter().zip(["missing", "forged", "another's"]).zip(reasons) {
        let why = text(letter, "kafka_dlt-exception-message").expect("a reason");
        assert!(why.contains(reason), "{name}: {why}");
        assert_eq!(text(letter, "kafka_dlt-exception-fqcn").as_deref(), Some("Refused"));
        assert_eq!(text(letter, "authorization"), None, "{name}");
        assert!(!exists(&db, ordered_by(&key(name))).await, "{name}");
    }
    assert_eq!(text(&letters[2], "kept").as_deref(), Some("1"));
    nix::sys::signal::raise(nix::sys::signal::Signal::SIGTERM).expect("raised");
    within(SOON, "the program to stop", running).await.expect("no panic").expect("stopped cleanly");
}

/// Each misuse is admitted once the lock is taken out: a program that asks for no tokens.
#[tokio::test]
async fn requests_are_judged_only_where_tokens_are_required() {
    let folder = tempfile::tempdir().expect("a folder");
    let issuer = Issuer::open_or_create(&folder.path().join("key.pem")).expect("a key");
    let verifier = verifier(&Issuer::key_set_file(&folder.path().join("key.pem")));
    let guarded = Orders { requests: Some(Requests::new(verifier)), ..Orders::default() }.table_in_use();
    let open = Orders::default().table_in_use();
    let record = |headers: &[(&str, &str)]| Record {
        topic: TOPIC.to_owned(),
        value: Some(one(1).to_string().into()),
        headers: headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect(),
        ..Record::default()
    };
    let (own, others) = (token(&issuer, "1"), token(&issuer, "2"));
    let good = [("authorization", own.as_str())];
    let read = async || (guarded.enter(&mut record(&good), None) == Verdict::Admitted).then_some(());
    eventually(SOON, "the keys", read).await;
    for headers in [&[][..], &[("authorization", "Bearer a.b.c")], &[("authorization", &others)], &[good[0], good[0]]] {
        let mut misused = record(headers);
        assert!(matches!(guarded.enter(&mut misused, None), Verdict::Refused(_)), "{headers:?}");
        assert!(misused.headers.is_empty());
        assert_eq!(open.enter(&mut record(headers), None), Verdict::Admitted, "{headers:?}");
    }
}
