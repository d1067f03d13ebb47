//! Dead letters: replays count once, and a forged letter publishes nothing.

use events::{
    order_id,
    publisher::{self, dead_letter_topic},
};
use saga::{ids::Coordinates, outbox::kafka::Cluster, record::Record};
use scenarios::{archive, requests::Client, stack::until};
use serde_json::json;
use transport::Transport;

use crate::{BOUND, Up, ends};

/// A letter about the record at some coordinates, on any dead-letter topic.
async fn letter(
    client: &Client,
    dead_letters: &str,
    value: &[u8],
    about: Coordinates<'_>,
    timestamp_ms: u64,
) -> String {
    let headers: [(&str, &[u8]); 5] = [
        ("kafka_dlt-original-topic", about.topic.as_bytes()),
        ("kafka_dlt-original-partition", &about.partition.to_be_bytes()),
        ("kafka_dlt-original-offset", &about.offset.to_be_bytes()),
        ("kafka_dlt-original-timestamp", &timestamp_ms.to_be_bytes()),
        ("kafka_dlt-exception-message", b"an older version did not understand it"),
    ];
    let place = client.send(dead_letters, None, Some(value), saga::outbox::kafka::headers(&headers)).await.unwrap();
    format!("{dead_letters}/{}/{}", place.partition, place.offset)
}

fn cluster(up: &Up) -> Cluster {
    Cluster::at(up.get("KAFKA_BROKERS"), &Transport::plain())
}

/// Publishes a bare request, and returns it as it lies on its topic.
async fn request(up: &Up, client: &Client, value: &[u8]) -> Record {
    let place = client.bare(None, Some(value)).await.unwrap();
    let topic = publisher::CLIENT.topic().to_owned();
    let offsets = archive::Offsets::from([((topic, place.partition), place.offset..place.offset + 1)]);
    let brokers = cluster(up);
    let read = move || {
        let mut found = None;
        archive::read_from(&brokers, offsets, |record| found = Some(record)).map(|()| found.unwrap())
    };
    tokio::task::spawn_blocking(read).await.unwrap().unwrap()
}

pub(crate) async fn are_replayed_or_refused(up: &Up) {
    let orders = up.database("ORDERS").await;
    let client = Client::new(&cluster(up)).unwrap();
    client.bare(None, Some(b"one \xff Bitcoin")).await.unwrap();
    let has_letter = async || Some(up.does(&["dlt", "list"]).await).filter(|said| said.contains("Unreadable"));
    let listed = until("there is a dead letter", BOUND, has_letter).await.unwrap();
    let name = listed.split_whitespace().next().unwrap();
    let shown = up.does(&["dlt", "show", name]).await;
    assert!(shown.contains("0x6f6e6520ff20426974636f696e") && shown.contains("kafka_dlt-exception-message"), "{shown}");

    // Still unreadable, it becomes another letter that names the one it is a replay of; that one can be replayed, too.
    up.does(&["dlt", "replay", name]).await;
    let came_back = async || {
        let said = up.does(&["dlt", "list"]).await;
        let line = said.lines().find(|line| line.contains(&format!("(a replay of {name})")))?;
        Some(line.split_whitespace().next()?.to_owned())
    };
    let again = until("the replay is a dead letter again", BOUND, came_back).await.unwrap();
    up.does(&["dlt", "replay", &again]).await;

    // Readable by now, it is one order, however often it is replayed.
    let text =
        json!({ "user_id": 3, "payment_method_id": 3, "items": [{ "product_id": 1, "quantity": 1 }] }).to_string();
    let record = request(up, &client, text.as_bytes()).await;
    ends(&orders, order_id::from_record(record.original()).0, "COMPLETED").await;
    let count = async || -> i64 {
        sqlx::query_scalar("select count(*) from orders where user_id = 3").fetch_one(&orders).await.unwrap()
    };
    let before = count().await;
    let requests = dead_letter_topic(publisher::CLIENT.topic());
    let name = letter(&client, &requests, text.as_bytes(), record.at(), record.timestamp_ms).await;
    up.does(&["dlt", "replay", &name, &name]).await;
    up.does(&["dlt", "replay", &name]).await;
    // When this order has ended, everything before it on any partition has been read, including the replays.
    ends(&orders, up.publishes(2, 1).await, "COMPLETED").await;
    assert_eq!(count().await, before);
    forged_ones_are_refused(up, &client, &text, &record).await;
}

/// An attacker who may write the dead-letter topics.
async fn forged_ones_are_refused(up: &Up, client: &Client, text: &str, record: &Record) {
    let requests = dead_letter_topic(publisher::CLIENT.topic());
    let accounts = dead_letter_topic(publisher::ACCOUNT.topic());
    let (value, at, time) = (text.as_bytes(), record.at(), record.timestamp_ms);
    let nowhere = Coordinates { offset: 1_000_000, ..at };
    let elsewhere = Coordinates { topic: "billing.events", ..at };
    let forged = [
        (letter(client, &requests, b"{\"user_id\": 1}", at, time).await, "its value is not what lies at"),
        (letter(client, &requests, value, at, 17).await, "its time is not what lies at"),
        (letter(client, &requests, value, nowhere, time).await, "is not there any more"),
        (letter(client, &accounts, value, at, time).await, "such letters are on order.requests-dlt"),
        (letter(client, &requests, value, elsewhere, time).await, "such letters are on billing.events-dlt"),
    ];
    for (name, why) in forged {
        let (success, said) = up.run(&["dlt", "replay", &name]).await;
        assert!(!success && said.contains(&format!("{name} is not published")) && said.contains(why), "{said}");
    }
}
