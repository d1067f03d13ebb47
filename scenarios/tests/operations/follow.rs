//! `scenarios trace --follow`, while services come along.

use saga::outbox::kafka::Cluster;
use std::process::Stdio;
use transport::Transport;

use events::OrderId;
use rdkafka::{
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
};
use scenarios::requests::Client;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader};
use uuid::Uuid;

use crate::{BOUND, Up, runner};

/// A service that is started while an order is followed has a topic that was not there when following began.
pub(crate) async fn hears_topics_that_are_made_later(up: &Up) {
    let (brokers, order) = (&up.variables["KAFKA_BROKERS"], OrderId(Uuid::now_v7()));
    let cluster = Cluster::at(brokers, &Transport::plain());
    let mut trace = runner(up.directory.path());
    trace.args(["trace", &order.to_string(), "--follow"]).env("KAFKA_BROKERS", brokers).stdout(Stdio::piped());
    let mut trace = trace.spawn().unwrap();
    let mut lines = BufReader::new(trace.stdout.take().unwrap()).lines();
    let heading = tokio::time::timeout(BOUND, lines.next_line()).await.expect("it begins to follow").unwrap();
    assert!(heading.is_some_and(|line| line.contains("event")));

    let admin: AdminClient<DefaultClientContext> = cluster.client("scenarios").create().unwrap();
    let topic = NewTopic::new("late.events", 1, TopicReplication::Fixed(1));
    admin.create_topics(&[topic], &AdminOptions::new().operation_timeout(Some(BOUND))).await.unwrap();
    let client = Client::new(&cluster).unwrap();
    client.event("late.events", "/services/late", "LateNews", order, &json!({ "news": "better late" })).await.unwrap();
    let heard = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if line.contains("LateNews") && line.contains("late ") {
                return;
            }
        }
        panic!("following has ended by itself");
    };
    tokio::time::timeout(BOUND, heard).await.expect("the event on the new topic is shown");
    trace.kill().await.unwrap();
}
