//! The crate under a toy service, against a real Postgres and a real Kafka.

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
mod severed;
mod silent;
mod timer;
mod topics;
mod toy;
mod upkeep;

use std::time::Duration;

use tokio::time;

/// Asks until there is an answer.
async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, ask: impl Fn() -> F) -> T {
    let answer = async {
        let mut again = time::interval(Duration::from_millis(10));
        loop {
            again.tick().await;
            if let Some(answer) = ask().await {
                return answer;
            }
        }
    };
    within(what, answer).await
}

/// Waits, but not for ever.
async fn within<T>(what: &str, wait: impl Future<Output = T>) -> T {
    let bound = Duration::from_secs(30);
    time::timeout(bound, wait).await.unwrap_or_else(|_| panic!("waited {bound:?} for {what}"))
}

/// Where Kafka is.
fn brokers() -> String {
    let variable = "TEST_KAFKA_BROKERS";
    std::env::var(variable)
        .unwrap_or_else(|_| panic!("{variable} is not set: this test needs a real Kafka. `make test` starts one"))
}

fn kafka(partitions: i32) -> saga::config::Kafka {
    saga::config::Kafka {
        kafka_brokers: vec![brokers()],
        kafka_partitions: partitions,
        kafka_replication: Some(1),
        kafka_instance_id: None,
    }
}
