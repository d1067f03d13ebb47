//! Two systems on one Apache Kafka, each with a prefix of its own: neither hears the other, nor disturbs the other's groups.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod names;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use events::OrderId;
use operations::{audit::Groups, databases::Databases, dead_letters, listener};
use rdkafka::consumer::{BaseConsumer, Consumer};
use saga::{outbox::kafka::Cluster, shutdown::Shutdown};
use scenarios::{
    requests::Client,
    stack::{self, Broker, Database, Environment, Options, Reporter, Stack, StateDir, seed, until},
};
use serde_json::json;
use transport::Transport;
use uuid::Uuid;

const BOUND: Duration = Duration::from_secs(90);

/// Buys something with the system, and has one request refused; returns the order.
async fn buys(environment: &Environment) -> anyhow::Result<Uuid> {
    let (client, order) = (Client::of(environment)?, OrderId(Uuid::now_v7()));
    let data =
        json!({"order_id": order, "user_id": 1, "payment_method_id": 1, "items": [{"product_id": 1, "quantity": 1}]});
    client.request(order, &data).await?;
    client.bare(None, Some(b"no request")).await?;
    let databases = Databases::of(environment)?;
    until("the order is completed", BOUND, async || {
        let status = "select status from orders where id = $1";
        let status: Option<String> = sqlx::query_scalar(status)
            .bind(order.0)
            .fetch_optional(databases.of_service(Database::ORDERS))
            .await
            .ok()?;
        (status? == "COMPLETED").then_some(())
    })
    .await?;
    Ok(order.0)
}

/// Every order that a system knows.
async fn orders(environment: &Environment) -> anyhow::Result<BTreeSet<Uuid>> {
    let databases = Databases::of(environment)?;
    let all: Vec<Uuid> =
        sqlx::query_scalar("select id from orders").fetch_all(databases.of_service(Database::ORDERS)).await?;
    Ok(all.into_iter().collect())
}

/// The subjects of all records that a system's own reader finds, and the number of its dead letters.
async fn heard(environment: &Environment) -> anyhow::Result<(BTreeSet<String>, usize)> {
    let brokers = environment.brokers.clone();
    tokio::task::spawn_blocking(move || {
        let mut keys = BTreeSet::new();
        operations::archive::read(&brokers, &listener::topics(), |record| {
            keys.extend(record.key.map(|key| String::from_utf8_lossy(&key).into_owned()));
        })?;
        assert!(listener::further_topics(&brokers)?.is_empty(), "another system's topics");
        Ok((keys, dead_letters::all(&brokers)?.len()))
    })
    .await?
}

/// The names of all topics and groups on the broker, and the members of each group.
async fn on_the_broker(brokers: &str) -> anyhow::Result<(BTreeSet<String>, BTreeMap<String, usize>)> {
    let client: BaseConsumer = Cluster::at(brokers, &Transport::plain()).client("test").create()?;
    tokio::task::spawn_blocking(move || {
        let metadata = client.fetch_metadata(None, BOUND)?;
        let topics = metadata.topics().iter().map(|topic| topic.name().to_owned());
        let topics = topics.filter(|name| !name.starts_with("__")).collect();
        let groups = client.fetch_group_list(None, BOUND)?;
        let groups = groups.groups().iter().map(|group| (group.name().to_owned(), group.members().len()));
        Ok((topics, groups.collect()))
    })
    .await?
}

fn with_prefix(brokers: &str, prefix: &str) -> Options {
    Options::new(Broker::Kafka).prefixed(prefix.parse().unwrap()).on(brokers)
}

/// Runs a system on the broker until the work is done.
async fn system<T>(
    options: Options,
    reporter: &Reporter,
    shutdown: &Shutdown,
    work: impl AsyncFnOnce(&mut Stack) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let mut done = None;
    stack::with(options, reporter, shutdown, async |stack| {
        seed::well_known(stack.environment()).await?;
        done = Some(work(stack).await?);
        Ok(())
    })
    .await?;
    Ok(done.unwrap())
}

#[test]
fn two_systems_on_one_broker_neither_hear_nor_disturb_each_other() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let directory = tempfile::tempdir().unwrap();
        let state = StateDir::create_in(directory.path()).unwrap();
        let reporter = Reporter::silent();
        let kafka = stack::Kafka::start(&state, 2, &[], None, &reporter.step("")).await.unwrap();
        let brokers = kafka.brokers().to_owned();
        let (_stop, shutdown) = Shutdown::by_hand();
        let (staging, test) = (with_prefix(&brokers, "staging."), with_prefix(&brokers, "test."));
        let both = system(staging, &reporter, &shutdown, async |first| {
            let own = buys(first.environment()).await?;
            let (_, groups) = on_the_broker(&brokers).await?;
            system(test, &reporter, &shutdown, async |second| {
                let (first, second) = (first.environment(), second.environment());
                let others = buys(second).await?;
                let again = buys(first).await?;
                assert_eq!(orders(first).await?, BTreeSet::from([own, again]));
                assert_eq!(orders(second).await?, BTreeSet::from([others]));
                for (system, own, letters) in [(first, vec![own, again], 2), (second, vec![others], 1)] {
                    let heard = heard(system).await?;
                    assert_eq!(heard.0, own.iter().map(Uuid::to_string).collect());
                    assert_eq!(heard.1, letters, "dead letters");
                    // The order has ended; what nobody acts upon may still have to be read.
                    let databases = Databases::of(system)?;
                    let all_read = async || {
                        let behind = Groups::of_the_shop(&system.brokers).ok()?.behind(&databases).await.ok()?;
                        behind.is_empty().then_some(())
                    };
                    until("every group has read its topics", BOUND, all_read).await?;
                }
                let (topics, now) = on_the_broker(&brokers).await?;
                let prefixes = |name: &String| name.starts_with("staging.") || name.starts_with("test.");
                assert!(topics.iter().all(prefixes) && now.keys().all(prefixes), "{topics:?} {now:?}");
                let of = |prefix: &str| topics.iter().filter(|name| name.starts_with(prefix)).count();
                assert_eq!(of("staging."), of("test."));
                for (group, members) in groups.iter().filter(|(group, _)| group.starts_with("staging.")) {
                    assert_eq!(now.get(group), Some(members), "{group} was disturbed");
                }
                Ok(())
            })
            .await
        });
        both.await.unwrap();
        kafka.stop().await.unwrap();
    });
}
