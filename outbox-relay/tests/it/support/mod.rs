//! A database and a topic for each test.

mod database;
mod line;
mod topic;

use std::{future::Future, panic::AssertUnwindSafe, time::Duration};
use transport::Transport;

use futures::FutureExt;
use outbox::kafka::Cluster;
use outbox_relay::{BATCH_ROWS, Candidacy, Drained, Relay, Settings, Tenure, Timing};
use process::shutdown::{Shutdown, Stop};
use sqlx::{PgPool, postgres::PgConnectOptions};
use uuid::Uuid;

pub(crate) use database::{append, append_at};
pub(crate) use line::Line;
pub(crate) use topic::{Record, create_topic, first_occurrences, read_all};

/// The database and the topic that one test has to itself.
pub(crate) struct World {
    pub(crate) options: PgConnectOptions,
    pub(crate) pool: PgPool,
    pub(crate) kafka: Cluster,
    pub(crate) aggregatetype: String,
}

/// Runs a test in a world of its own and takes the world down afterwards, also if the test fails.
pub(crate) async fn in_a_world(test: impl AsyncFnOnce(&World)) {
    let name = format!("relay_test_{}", Uuid::new_v4().simple());
    let options = database::create(&name).await;
    let world = World {
        pool: PgPool::connect_with(options.clone()).await.unwrap(),
        options,
        kafka: kafka(),
        aggregatetype: name.clone(),
    };
    outbox::migrate(&world.pool).await.unwrap();
    world.create_topic().await;
    let outcome = AssertUnwindSafe(test(&world)).catch_unwind().await;
    world.pool.close().await;
    database::drop(&name).await;
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}

impl World {
    /// A relay of this world's database that acts only when stepped.
    pub(crate) fn relay(&self) -> Relay {
        self.relay_with(Timing::default())
    }

    pub(crate) fn relay_with(&self, timing: Timing) -> Relay {
        Relay::new(Settings { timing, ..self.settings() })
    }

    /// Settings of a relay of this world.
    pub(crate) fn settings(&self) -> Settings {
        Settings {
            database: self.aggregatetype.clone(),
            options: self.options.clone(),
            kafka: self.kafka.clone(),
            publisher: Some(self.aggregatetype.clone()),
            timing: Timing::default(),
            batch_max: BATCH_ROWS,
        }
    }

    /// Appends an event of `key` and commits.
    pub(crate) async fn append(&self, key: &str, name: &str) -> Uuid {
        append(&self.pool, &self.aggregatetype, key, name, serde_json::json!({ "name": name })).await
    }

    /// The cursor in the database.
    pub(crate) async fn cursor(&self) -> i64 {
        sqlx::query_scalar("select last_seq from relay_cursor").fetch_one(&self.pool).await.unwrap()
    }
}

impl World {
    /// Starts a relay that runs in its own loop until it is stopped.
    pub(crate) fn run(&self, settings: Settings) -> (Relay, Running) {
        let relay = Relay::new(settings);
        let (by_hand, shutdown) = Shutdown::by_hand();
        let running = relay.clone();
        (relay, Running { by_hand, task: tokio::spawn(async move { running.run(&shutdown).await }) })
    }
}

/// A relay that runs in its own loop.
pub(crate) struct Running {
    by_hand: Stop,
    task: tokio::task::JoinHandle<()>,
}

/// Stops a relay and waits for its end.
pub(crate) async fn stop(running: Running) {
    running.by_hand.now();
    running.task.await.unwrap();
}

/// Drains repeatedly until the outcome is as wanted.
pub(crate) async fn until_drained(tenure: &mut Tenure, wanted: &Drained) {
    let tenure = tokio::sync::Mutex::new(tenure);
    until("the outbox is drained as expected", || async {
        (tenure.lock().await.drain().await.unwrap() == *wanted).then_some(())
    })
    .await;
}

/// Drains repeatedly until the cursor is at `last_seq`.
pub(crate) async fn drain_to(tenure: &mut Tenure, last_seq: i64, world: &World) {
    let tenure = tokio::sync::Mutex::new(tenure);
    until("all is published", || async {
        tenure.lock().await.drain().await.unwrap();
        (world.cursor().await == last_seq).then_some(())
    })
    .await;
}

/// The types of the events on another publisher's topic.
pub(crate) async fn published_on(world: &World, publisher: &str) -> Vec<String> {
    let (kafka, topic) = (world.kafka.clone(), format!("{publisher}.events"));
    let records = tokio::task::spawn_blocking(move || read_all(&kafka, &topic)).await.unwrap();
    records.iter().map(|record| record.event_type().to_owned()).collect()
}

/// The relay as leader; fails the test if another one leads.
pub(crate) async fn lead(relay: &Relay) -> Tenure {
    match try_to_lead(relay).await {
        Some(tenure) => tenure,
        None => panic!("another relay leads"),
    }
}

/// The relay as leader, unless another one leads.
pub(crate) async fn try_to_lead(relay: &Relay) -> Option<Tenure> {
    match relay.stand_by().await.unwrap().try_to_lead().await.unwrap() {
        Candidacy::Leads(tenure) => Some(*tenure),
        Candidacy::StandsBy(_) => None,
    }
}

/// Repeats an attempt until it has a result, for 20 seconds at most.
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut attempt: impl FnMut() -> F) -> T {
    let tries = async {
        loop {
            if let Some(answer) = attempt().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    match tokio::time::timeout(Duration::from_secs(20), tries).await {
        Ok(answer) => answer,
        Err(_) => panic!("waited 20 seconds until {what}"),
    }
}

/// Waits until the server has no session of a relay left.
pub(crate) async fn until_gone(world: &World) {
    until("the relay's sessions are gone", || async {
        let query = "select count(*) from pg_stat_activity where application_name = 'outbox-relay' and datname = $1";
        let left: i64 = sqlx::query_scalar(query).bind(&world.aggregatetype).fetch_one(&world.pool).await.unwrap();
        (left == 0).then_some(())
    })
    .await;
}

fn required(variable: &str) -> String {
    std::env::var(variable)
        .unwrap_or_else(|_| panic!("{variable} is not set: run `make test`, which starts Postgres and Kafka"))
}

fn kafka() -> Cluster {
    kafka_at(&required("TEST_KAFKA_BROKERS"))
}

/// The brokers at these addresses.
pub(crate) fn kafka_at(brokers: &str) -> Cluster {
    Cluster::at(brokers, &Transport::plain())
}
