//! A database and a topic for each test.

mod database;
mod topic;

use std::{future::Future, panic::AssertUnwindSafe, time::Duration};

use clap::Parser;
use futures::FutureExt;
use kit::config::Kafka;
use outbox_relay::{Candidacy, Relay, Tenure, Timing};
use sqlx::{PgPool, postgres::PgConnectOptions};
use uuid::Uuid;

pub(crate) use database::{append, append_at};
pub(crate) use topic::create_topic;

/// What one test has to itself.
pub(crate) struct World {
    pub(crate) options: PgConnectOptions,
    pub(crate) pool: PgPool,
    pub(crate) kafka: Kafka,
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
    sqlx::migrate!("../services/kit/migrations").run(&world.pool).await.unwrap();
    world.create_topic().await;
    let outcome = AssertUnwindSafe(test(&world)).catch_unwind().await;
    world.pool.close().await;
    database::drop(&name).await;
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}

impl World {
    /// A relay of this world's database that does nothing by itself.
    pub(crate) fn relay(&self) -> Relay {
        self.relay_with(Timing::default())
    }

    pub(crate) fn relay_with(&self, timing: Timing) -> Relay {
        Relay::new(&self.aggregatetype, self.options.clone(), self.kafka.clone(), timing)
    }

    /// Appends an event of `key` and commits.
    pub(crate) async fn append(&self, key: &str, name: &str) -> Uuid {
        append(&self.pool, &self.aggregatetype, key, name, serde_json::json!({ "name": name })).await
    }

    /// Where the cursor stands.
    pub(crate) async fn cursor(&self) -> i64 {
        sqlx::query_scalar("select last_seq from relay_cursor").fetch_one(&self.pool).await.unwrap()
    }
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

/// Tries until there is an answer, for 20 seconds at most.
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

fn required(variable: &str) -> String {
    std::env::var(variable)
        .unwrap_or_else(|_| panic!("{variable} is not set: run `make test`, which starts Postgres and Kafka"))
}

fn kafka() -> Kafka {
    #[derive(Parser)]
    struct Options {
        #[command(flatten)]
        kafka: Kafka,
    }
    Options::parse_from(["test", "--kafka-brokers", &required("TEST_KAFKA_BROKERS")]).kafka
}
