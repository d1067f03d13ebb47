//! A partition whose leader is gone for a while, with no replica to take over.

use std::time::Duration;

use outbox::kafka::Cluster;
use outbox_relay::{Outcome, Relay, Settings, Tenure, Timing, partition_of};
use rdkafka::{mocking::MockCluster, producer::DefaultProducerContext};

use crate::support::{Record, World, drain_to, first_occurrences, in_a_world, kafka_at, lead, read_all, until};

/// They are on different partitions.
const GONE: &str = "order-1";
const THERE: &str = "order-3";
const PARTITIONS: usize = 3;
/// Rows per key, written while there is no leader.
const ROWS: usize = 6;

/// Two brokers, the second of which leads the partition of [`GONE`] alone.
struct Brokers {
    brokers: MockCluster<'static, DefaultProducerContext>,
    kafka: Cluster,
}

impl Brokers {
    fn start(topic: &str) -> Self {
        let brokers = MockCluster::new(2).unwrap();
        brokers.create_topic(topic, PARTITIONS as i32, 1).unwrap();
        let [gone, there] = [GONE, THERE].map(|key| partition_of(key.as_bytes(), PARTITIONS));
        assert_ne!(gone, there);
        for partition in 0..PARTITIONS {
            brokers.partition_leader(topic, partition as i32, Some(1 + i32::from(partition == gone))).unwrap();
        }
        let kafka = kafka_at(&brokers.bootstrap_servers());
        Brokers { brokers, kafka }
    }

    fn settings(&self, world: &World) -> Settings {
        let timing = Timing { acknowledged_within: Duration::from_secs(4), ..Timing::default() };
        Settings { kafka: self.kafka.clone(), timing, ..world.settings() }
    }

    fn relay(&self, world: &World) -> Relay {
        Relay::new(self.settings(world))
    }

    fn leader_goes(&self) {
        self.brokers.broker_down(2).unwrap();
    }

    fn leader_returns(&self) {
        self.brokers.broker_up(2).unwrap();
    }

    async fn read_all(&self, topic: &str) -> Vec<Record> {
        let (kafka, topic) = (self.kafka.clone(), topic.to_owned());
        tokio::task::spawn_blocking(move || read_all(&kafka, &topic)).await.unwrap()
    }
}

async fn append_to_both(world: &World, name: &str) {
    for key in [GONE, THERE] {
        world.append(key, name).await;
    }
}

async fn append_rows(world: &World) {
    for n in 0..ROWS {
        append_to_both(world, &n.to_string()).await;
    }
}

/// Steps until the partition without a leader has been left behind and the others have accepted all their rows.
async fn go_on_without(relay: &Relay, tenure: &mut Tenure) {
    let tenure = tokio::sync::Mutex::new(tenure);
    until("the others go on", || async {
        let is_empty = tenure.lock().await.step().await.unwrap() == Outcome::Empty;
        (is_empty && relay.partitions_behind() == [partition_of(GONE.as_bytes(), PARTITIONS)]).then_some(())
    })
    .await;
}

/// Publishes a row per key, and then, without the leader, the rows of the other partitions.
async fn leave_behind(cluster: &Brokers, world: &World) -> (Relay, Tenure) {
    let relay = cluster.relay(world);
    let mut tenure = lead(&relay).await;
    append_to_both(world, "before").await;
    drain_to(&mut tenure, 2, world).await;
    cluster.leader_goes();
    append_rows(world).await;
    go_on_without(&relay, &mut tenure).await;
    (relay, tenure)
}

fn said(names: &[&str]) -> Vec<String> {
    let rows = (0..ROWS).map(|n| n.to_string());
    names.iter().map(|name| (*name).to_owned()).chain(rows).collect()
}

#[tokio::test]
async fn a_partition_without_a_leader_holds_up_nobody_and_catches_up() {
    in_a_world(async |world| {
        let (topic, cluster) = (world.topic(), Brokers::start(&world.topic()));
        let (relay, mut tenure) = leave_behind(&cluster, world).await;
        assert_eq!(world.cursor().await, 2, "a successor has to begin before what has no leader");

        cluster.leader_returns();
        drain_to(&mut tenure, 2 + 2 * ROWS as i64, world).await;
        world.append(GONE, "after").await;
        drain_to(&mut tenure, 3 + 2 * ROWS as i64, world).await;
        assert!(relay.partitions_behind().is_empty());
        let records = cluster.read_all(&topic).await;
        assert_eq!(records.len(), 3 + 2 * ROWS, "each once");
        assert_eq!(first_occurrences(&records, GONE), [said(&["before"]), vec!["after".to_owned()]].concat());
        assert_eq!(first_occurrences(&records, THERE), said(&["before"]));
    })
    .await;
}

#[tokio::test]
async fn a_relay_that_begins_without_a_leader_goes_on_as_well_and_its_successor_leaves_nothing_out() {
    in_a_world(async |world| {
        let (topic, cluster) = (world.topic(), Brokers::start(&world.topic()));
        cluster.leader_goes();
        append_rows(world).await;
        for _ in 0..2 {
            let relay = cluster.relay(world);
            let mut tenure = lead(&relay).await;
            go_on_without(&relay, &mut tenure).await;
            assert_eq!(world.cursor().await, 0);
            // The tenure ends as in a crash.
            drop(tenure);
        }
        let mut tenure = lead(&cluster.relay(world)).await;
        cluster.leader_returns();
        drain_to(&mut tenure, 2 * ROWS as i64, world).await;
        let records = cluster.read_all(&topic).await;
        for key in [GONE, THERE] {
            assert_eq!(first_occurrences(&records, key), said(&[]), "{key}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_left_behind_survives_an_outage_of_everything() {
    in_a_world(async |world| {
        let (topic, cluster) = (world.topic(), Brokers::start(&world.topic()));
        let (_, mut tenure) = leave_behind(&cluster, world).await;

        cluster.brokers.broker_down(1).unwrap();
        append_to_both(world, "after").await;
        let relayed = tokio::sync::Mutex::new(&mut tenure);
        until("the producer is given up", || async {
            (relayed.lock().await.step().await.unwrap() == Outcome::Resting).then_some(())
        })
        .await;
        cluster.brokers.broker_up(1).unwrap();
        cluster.leader_returns();
        drain_to(&mut tenure, 4 + 2 * ROWS as i64, world).await;
        let records = cluster.read_all(&topic).await;
        for key in [GONE, THERE] {
            let said = [said(&["before"]), vec!["after".to_owned()]].concat();
            assert_eq!(first_occurrences(&records, key), said, "{key}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_leader_that_comes_and_goes_while_its_partition_catches_up_changes_no_order() {
    const BATCH: i64 = 5;
    const KEYS: usize = 6;
    in_a_world(async |world| {
        let (topic, cluster) = (world.topic(), Brokers::start(&world.topic()));
        let relay = Relay::new(Settings { batch_max: BATCH, ..cluster.settings(world) });
        let mut tenure = lead(&relay).await;
        let mut rows = 0;
        for round in 0..4 {
            cluster.leader_goes();
            for n in 0..20 {
                for key in 0..KEYS {
                    world.append(&format!("order-{key}"), &format!("{round}.{n}")).await;
                    rows += 1;
                }
            }
            go_on_without(&relay, &mut tenure).await;
            cluster.leader_returns();
            // The leader goes again while the partition catches up, in each round a little later.
            let caught_up = world.cursor().await + round * 2 * BATCH;
            let tenure = tokio::sync::Mutex::new(&mut tenure);
            until("it catches up", || async {
                tenure.lock().await.step().await.unwrap();
                (world.cursor().await > caught_up).then_some(())
            })
            .await;
        }
        drain_to(&mut tenure, rows, world).await;
        let records = cluster.read_all(&topic).await;
        let said: Vec<String> = (0..4).flat_map(|round| (0..20).map(move |n| format!("{round}.{n}"))).collect();
        for key in 0..KEYS {
            assert_eq!(first_occurrences(&records, &format!("order-{key}")), said, "{key}");
        }
    })
    .await;
}
