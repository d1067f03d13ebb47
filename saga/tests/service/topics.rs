//! Topics are created as configured, and left alone if they exist.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use saga::{Service, config::Cluster, topics};
use uuid::Uuid;

use crate::{eventually, kafka, toy::Counter};

/// Number of partitions of a topic; `None` if it does not exist.
async fn partitions(kafka: &Cluster, topic: &str) -> Option<usize> {
    let client: BaseConsumer = kafka.client("test").create().expect("a client");
    let topic = topic.to_owned();
    let asking = tokio::task::spawn_blocking(move || {
        let metadata = client.fetch_metadata(Some(&topic), Duration::from_secs(10)).expect("Kafka answers");
        metadata.topics().first().map_or(0, |topic| topic.partitions().len())
    });
    Some(asking.await.expect("no panic")).filter(|partitions| *partitions > 0)
}

#[tokio::test]
async fn missing_topics_are_made_with_the_configured_partitions() {
    let topic = format!("saga-test-{}", Uuid::new_v4());
    let names = [topic.clone(), format!("{topic}-dlt")];
    let three = kafka(3);
    topics::ensure(&three, "test", &names).await.expect("made");
    for name in &names {
        let made = eventually(&format!("the topic {name}"), || partitions(&three, name)).await;
        assert_eq!(made, 3);
    }
    // A program with other settings that starts later leaves them as they are.
    topics::ensure(&kafka(5), "test", &names).await.expect("nothing to do");
    assert_eq!(partitions(&three, &topic).await, Some(3));
}

#[test]
fn a_service_needs_its_own_topic_and_those_that_it_reads_with_their_dead_letters() {
    assert_eq!(topics::needed_by(&Counter::table()), ["counter.events", "desk.events", "desk.events-dlt"]);
}
