//! The first requests of a new producer id. A partition that has never seen the id accepts any sequence number as the first, so a
//! request that was refused must not be passed.

use std::time::Duration;

use outbox_relay::{Relay, Settings};
use rdkafka::{
    mocking::MockCluster,
    types::{RDKafkaApiKey, RDKafkaRespErr},
};

use crate::support::{drain_to, first_occurrences, in_a_world, kafka_at, lead, read_all};

/// They are on different partitions.
const KEYS: [&str; 2] = ["order-1", "order-3"];
const ROWS: usize = 12;

/// The broker runs in this process. Like Kafka, it accepts any sequence number from a producer id that it has not seen.
async fn nothing_is_lost_or_overtaken(first_answer: RDKafkaRespErr) {
    in_a_world(async |world| {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic(&world.topic(), 3, 1).unwrap();
        let kafka = kafka_at(&cluster.bootstrap_servers());
        let relay = Relay::new(Settings { kafka: kafka.clone(), ..world.settings() });
        let mut tenure = lead(&relay).await;
        // Now the client has its connections and its producer id.
        world.append(KEYS[0], "Before").await;
        drain_to(&mut tenure, 1, world).await;

        // So slow that several requests would be in flight before the first is answered.
        cluster.broker_round_trip_time(1, Duration::from_millis(300)).unwrap();
        cluster.request_errors(RDKafkaApiKey::Produce, &[first_answer]);
        for n in 0..ROWS {
            world.append(KEYS[1], &n.to_string()).await;
            tenure.step().await.unwrap();
        }
        drain_to(&mut tenure, 1 + ROWS as i64, world).await;

        let topic = world.topic();
        let records = tokio::task::spawn_blocking(move || read_all(&kafka, &topic)).await.unwrap();
        let partition_of = |key| records.iter().find(|record| record.key == key).map(|record| record.partition);
        assert_ne!(partition_of(KEYS[0]), partition_of(KEYS[1]), "else the second partition has seen the producer");
        assert_eq!(first_occurrences(&records, KEYS[1]), (0..ROWS).map(|n| n.to_string()).collect::<Vec<_>>());
    })
    .await;
}

#[tokio::test]
async fn a_first_request_that_finds_no_leader_is_not_passed() {
    nothing_is_lost_or_overtaken(RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION).await;
}

#[tokio::test]
async fn a_first_request_that_finds_too_few_replicas_is_not_passed() {
    nothing_is_lost_or_overtaken(RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS).await;
}

#[tokio::test]
async fn a_first_request_that_is_refused_for_good_is_not_passed() {
    nothing_is_lost_or_overtaken(RDKafkaRespErr::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE).await;
}
