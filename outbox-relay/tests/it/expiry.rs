//! Records that wait long in the client: none expires while those behind it are sent.

use std::{
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use outbox_relay::{Relay, Settings, Tenure, Timing};
use rdkafka::{mocking::MockCluster, producer::DefaultProducerContext};
use sqlx::{ConnectOptions, Connection};

use crate::support::{World, in_a_world, kafka_at, lead, read_all, until};

const LEASE: Duration = Duration::from_secs(4);
/// Long enough for a client that has lost its broker to reconnect within half of it.
const LONG_LEASE: Duration = Duration::from_secs(10);

fn timing(lease: Duration) -> Timing {
    Timing { lease, ..Timing::default() }
}

type Cluster = MockCluster<'static, DefaultProducerContext>;

/// A broker in this process, with the world's topic.
fn cluster(world: &World) -> (Cluster, Settings) {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic(&world.topic(), 3, 1).unwrap();
    let kafka = kafka_at(&cluster.bootstrap_servers());
    (cluster, Settings { kafka, timing: timing(LEASE), ..world.settings() })
}

/// The first occurrence of each event on the topic.
async fn first_occurrences(world: &World, settings: &Settings) -> Vec<String> {
    let (kafka, topic) = (settings.kafka.clone(), world.topic());
    let records = tokio::task::spawn_blocking(move || read_all(&kafka, &topic)).await.unwrap();
    let mut first: Vec<String> = Vec::new();
    for record in records {
        if !first.iter().any(|known| *known == record.event_type()) {
            first.push(record.event_type().to_owned());
        }
    }
    first
}

async fn until_at(at: Instant) {
    until("it is time", || async { (Instant::now() >= at).then_some(()) }).await;
}

/// Drains until the cursor is at `last_seq`; takes over again whenever leadership is lost.
async fn publish_all(relay: &Relay, tenure: Tenure, world: &World, last_seq: i64) {
    let tenure = tokio::sync::Mutex::new(Some(tenure));
    until("all is published", || async {
        let mut tenure = tenure.lock().await;
        match &mut *tenure {
            Some(leads) => {
                if leads.drain().await.is_err() {
                    *tenure = None;
                }
            }
            None => *tenure = crate::support::try_to_lead(relay).await,
        }
        (world.cursor().await == last_seq).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_record_that_has_waited_longer_than_a_lease_is_not_passed_while_the_read_hangs() {
    in_a_world(async |world| {
        let (cluster, settings) = cluster(world);
        let settings = Settings { timing: timing(LONG_LEASE), ..settings };
        let relay = Relay::new(settings.clone());
        let mut tenure = lead(&relay).await;
        world.append("order-1", "Before").await;
        tenure.drain().await.unwrap();

        // Two records for a broker that is down, some time apart, and then the database hangs.
        cluster.broker_down(1).unwrap();
        let begun = Instant::now();
        world.append("order-1", "First").await;
        tenure.step().await.unwrap();
        until_at(begun + LONG_LEASE * 38 / 100).await;
        world.append("order-1", "Second").await;
        tenure.step().await.unwrap();
        let mut locking = sqlx::PgConnection::connect_with(&world.options).await.unwrap();
        sqlx::raw_sql("begin; lock table outbox in access exclusive mode").execute(&mut locking).await.unwrap();
        let (stepped, ()) = tokio::join!(tenure.step(), async {
            // With a timeout of half a lease, the first would have expired, and the second would not.
            until_at(begun + LONG_LEASE * 61 / 100).await;
            cluster.broker_up(1).unwrap();
        });
        drop(stepped);
        locking.close().await.unwrap();

        publish_all(&relay, tenure, world, 3).await;
        assert_eq!(first_occurrences(world, &settings).await, ["Before", "First", "Second"]);
    })
    .await;
}

#[tokio::test]
async fn the_fence_falls_although_the_read_hangs() {
    in_a_world(async |world| {
        let (cluster, settings) = cluster(world);
        let relay = Relay::new(settings.clone());
        let mut tenure = lead(&relay).await;
        world.append("order-1", "Before").await;
        tenure.drain().await.unwrap();

        cluster.broker_down(1).unwrap();
        world.append("order-1", "First").await;
        tenure.step().await.unwrap();
        // The tenure is stepped no more and the lease ends: a record that was not sent is not sent late.
        until_at(Instant::now() + LEASE + Duration::from_secs(1)).await;
        cluster.broker_up(1).unwrap();
        let mut successor = until("the lease is over", || crate::support::try_to_lead(&relay)).await;
        assert_eq!(first_occurrences(world, &settings).await, ["Before"]);
        successor.drain().await.unwrap();
        assert_eq!(first_occurrences(world, &settings).await, ["Before", "First"]);
    })
    .await;
}

/// The program in a process of its own, which is killed at the end of the test, frozen or not.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn program(world: &World, settings: &Settings) -> Program {
    let (name, lease) = (&world.aggregatetype, LEASE.as_millis());
    let child = Command::new(env!("CARGO_BIN_EXE_outbox-relay"))
        .args(["--database", &format!("{name}={}", world.options.to_url_lossy())])
        .args(["--publishers", &format!("{name}={name}")])
        .args(["--kafka-brokers", &settings.kafka.brokers()])
        .args(["--lease-ms", &lease.to_string(), "--http-addr", "127.0.0.1:0"])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    Program(child)
}

fn signal(Program(child): &Program, name: &str) {
    let sent = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status().unwrap();
    assert!(sent.success(), "{name}");
}

#[tokio::test]
async fn a_process_that_was_frozen_for_longer_than_its_lease_may_repeat_but_does_not_overtake() {
    in_a_world(async |world| {
        let (cluster, settings) = cluster(world);
        let mut frozen = program(world, &settings);
        world.append("order-1", "Before").await;
        until("it publishes", || async { (world.cursor().await == 1).then_some(()) }).await;

        // These are in its client when it freezes.
        cluster.broker_down(1).unwrap();
        for name in ["First", "Second", "Third"] {
            world.append("order-1", name).await;
        }
        until_at(Instant::now() + Duration::from_secs(1)).await;
        signal(&frozen, "STOP");
        let relay = Relay::new(settings.clone());
        let successor = until("the lease is over", || crate::support::try_to_lead(&relay)).await;
        cluster.broker_up(1).unwrap();
        publish_all(&relay, successor, world, 4).await;
        world.append("order-1", "Fourth").await;

        signal(&frozen, "CONT");
        until("the order is kept", || async {
            let first = first_occurrences(world, &settings).await;
            assert!(
                ["Before", "First", "Second", "Third", "Fourth"]
                    .starts_with(&first.iter().map(String::as_str).collect::<Vec<_>>()),
                "{first:?}"
            );
            (first.len() == 5).then_some(())
        })
        .await;
        signal(&frozen, "TERM");
        until("it has ended", || {
            let ended = frozen.0.try_wait().unwrap();
            async move { ended }
        })
        .await;
    })
    .await;
}
