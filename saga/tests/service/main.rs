//! The crate with a toy service, against a real Postgres and a real Kafka.

mod batches;
mod claims;
mod conformance;
#[expect(dead_code, reason = "tests of whole programs need more of the line")]
mod line;
mod memory;
mod migrations;
mod outside;
mod partitions;
mod payload;
mod program;
mod rows;
mod severed;
mod silent;
mod timer;
mod topics;
mod toy;
mod upkeep;

use std::time::Duration;

/// Bound for any wait of a test.
const BOUND: Duration = Duration::from_secs(30);

/// Polls until there is an answer.
async fn eventually<T>(what: &str, ask: impl AsyncFn() -> Option<T>) -> T {
    saga::testing::eventually(BOUND, what, ask).await
}

/// Waits with a bound.
async fn within<T>(what: &str, wait: impl Future<Output = T>) -> T {
    saga::testing::within(BOUND, what, wait).await
}

/// Address of Kafka.
fn brokers() -> String {
    let variable = "TEST_KAFKA_BROKERS";
    std::env::var(variable)
        .unwrap_or_else(|_| panic!("{variable} is not set: this test needs a real Kafka. `make test` starts one"))
}

fn kafka(partitions: i32) -> saga::config::Cluster {
    let kafka = saga::config::Kafka {
        kafka_brokers: vec![brokers()],
        kafka_prefix: Default::default(),
        kafka_partitions: partitions,
        kafka_replication: Some(1),
        kafka_instance_id: None,
        kafka_topics: Default::default(),
        kafka_sasl: Default::default(),
    };
    kafka.over(&saga::transport::Transport::plain())
}
