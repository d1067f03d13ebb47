//! Events that the broker refuses.

use outbox_relay::{Drained, Relay, Settings};
use serde_json::json;
use uuid::Uuid;

use crate::support::{World, append, create_topic, in_a_world, lead, until, until_drained};

/// Text that does not compress.
fn noise(bytes: usize) -> String {
    let mut noise = String::with_capacity(bytes + 32);
    while noise.len() < bytes {
        noise.push_str(&Uuid::new_v4().simple().to_string());
    }
    noise
}

/// Events before the refused one are published, none passes it, and once the cause is removed publishing continues.
async fn refused_then_taken(world: &World, bytes: usize) {
    world.append("order-1", "First").await;
    append(&world.pool, &world.aggregatetype, "order-1", "Second", json!({ "noise": noise(bytes) })).await;
    world.append("order-1", "Third").await;
    let mut tenure = lead(&world.relay()).await;

    let relayed = tokio::sync::Mutex::new(&mut tenure);
    until("the relay stands before the refused event", || async {
        assert_eq!(relayed.lock().await.drain().await.unwrap(), Drained::Refused);
        (world.cursor().await == 1).then_some(())
    })
    .await;
    assert!(!world.published().await.contains(&"Third".to_owned()), "nothing passes it");

    sqlx::query("update outbox set payload = '{}' where type = 'Second'").execute(&world.pool).await.unwrap();
    until_drained(&mut tenure, &Drained::Empty).await;
    let mut published = world.published().await;
    published.dedup();
    assert_eq!(published, ["First", "Second", "Third"]);
}

#[tokio::test]
async fn an_event_over_the_clients_limit_is_not_passed() {
    in_a_world(async |world| refused_then_taken(world, 3_000_000).await).await;
}

#[tokio::test]
async fn an_event_over_the_brokers_limit_is_not_passed() {
    in_a_world(async |world| refused_then_taken(world, 1_900_000).await).await;
}

#[tokio::test]
async fn a_topic_that_is_missing_is_waited_for() {
    in_a_world(async |world| {
        let publisher = format!("{}_late", world.aggregatetype);
        append(&world.pool, &publisher, "order-1", "First", json!({})).await;
        let relay = Relay::new(Settings { publisher: Some(publisher.clone()), ..world.settings() });
        let mut tenure = lead(&relay).await;
        until_drained(&mut tenure, &Drained::Refused).await;
        create_topic(&world.kafka, &format!("{publisher}.events")).await;
        until_drained(&mut tenure, &Drained::Empty).await;
        assert_eq!(world.cursor().await, 1);
    })
    .await;
}
