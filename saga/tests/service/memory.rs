//! The retention check notices an inbox that forgets before its topics do.

use rdkafka::{
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    mocking::MockCluster,
};
use saga::transport::Transport;
use saga::{
    config::Cluster,
    memory::{Sufficiency, compare},
    upkeep::Retention,
};
use uuid::Uuid;

use crate::kafka;

const HOUR: &str = "3600000";

fn hours(inbox_hours: u32) -> Retention {
    Retention { inbox_hours, outbox_hours: 0 }
}

/// A new topic with this retention in milliseconds and segments of an hour.
async fn topic(retention_ms: &str) -> String {
    let admin: AdminClient<DefaultClientContext> = kafka(1).client("test").create().expect("a client");
    let name = format!("saga-test-{}", Uuid::new_v4());
    let topic =
        NewTopic::new(&name, 1, TopicReplication::Fixed(1)).set("retention.ms", retention_ms).set("segment.ms", HOUR);
    for made in admin.create_topics(&[topic], &AdminOptions::new()).await.expect("Kafka answers") {
        made.expect("made");
    }
    name
}

#[tokio::test]
async fn the_inbox_is_compared_with_what_the_topics_keep() {
    let (two_hours, for_ever) = (topic("7200000").await, topic("-1").await);
    let kafka = kafka(1);
    let ask =
        async |topics: &[&str], inbox| compare(&kafka, "test", topics, hours(inbox)).await.expect("Kafka answers");
    // Two hours, up to one more until their segment is full, and the broker's check interval.
    assert_eq!(ask(&[&two_hours], 28).await, Sufficiency::Long);
    assert!(matches!(ask(&[&two_hours], 4).await, Sufficiency::ShortForReplays(_)));
    let Sufficiency::TooShort(why) = ask(&[&two_hours, &for_ever], 3).await else {
        panic!("three hours are too short")
    };
    assert!(why.contains(&two_hours), "{why}");
    assert_eq!(ask(&[&two_hours, &for_ever], 28).await, Sufficiency::NeverLong { topics: vec![for_ever] });
}

/// The embedded broker has no such request.
#[tokio::test]
async fn a_broker_that_cannot_tell_is_not_waited_for() {
    let broker = MockCluster::new(1).expect("a broker");
    broker.create_topic("topic", 1, 1).expect("made");
    let kafka = Cluster::at(&broker.bootstrap_servers(), &Transport::plain());
    assert_eq!(compare(&kafka, "test", &["topic"], hours(1)).await.expect("it answers"), Sufficiency::Unknown);
}
