//! A partition whose leader is gone for a while, and nobody has taken its place.

use outbox_relay::{Relay, Settings, partition_of};
use rdkafka::mocking::MockCluster;

use crate::support::{World, drain_to, first_occurrences, in_a_world, kafka_at, lead, read_all};

/// They are on different partitions.
const KEYS: [&str; 2] = ["order-1", "order-3"];
const PARTITIONS: usize = 3;
/// Of each key, while there is no leader.
const ROWS: usize = 6;

async fn append_to_both(world: &World, name: &str) {
    for key in KEYS {
        world.append(key, name).await;
    }
}

#[tokio::test]
async fn a_partition_without_a_leader_is_waited_for_and_nothing_is_lost_or_overtaken() {
    in_a_world(async |world| {
        let cluster = MockCluster::new(2).unwrap();
        cluster.create_topic(&world.topic(), PARTITIONS as i32, 1).unwrap();
        let kafka = kafka_at(&cluster.bootstrap_servers());
        let relay = Relay::new(Settings { kafka: kafka.clone(), ..world.settings() });
        let mut tenure = lead(&relay).await;
        let [gone, there] = KEYS.map(|key| partition_of(key.as_bytes(), PARTITIONS) as i32);
        assert_ne!(gone, there);
        for partition in 0..PARTITIONS as i32 {
            cluster.partition_leader(&world.topic(), partition, Some(1 + i32::from(partition == gone))).unwrap();
        }
        append_to_both(world, "before").await;
        let before = 2;
        drain_to(&mut tenure, before, world).await;

        cluster.broker_down(2).unwrap();
        for n in 0..ROWS {
            append_to_both(world, &n.to_string()).await;
            tenure.step().await.unwrap();
        }
        assert_eq!(world.cursor().await, before, "nothing passes what has no leader");

        cluster.broker_up(2).unwrap();
        drain_to(&mut tenure, before + 2 * ROWS as i64, world).await;
        let topic = world.topic();
        let records = tokio::task::spawn_blocking(move || read_all(&kafka, &topic)).await.unwrap();
        for key in KEYS {
            let said: Vec<String> = ["before".to_owned()].into_iter().chain((0..ROWS).map(|n| n.to_string())).collect();
            assert_eq!(first_occurrences(&records, key), said, "{key}");
        }
    })
    .await;
}
