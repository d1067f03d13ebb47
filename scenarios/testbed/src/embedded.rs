//! librdkafka's mock broker inside this process: no JVM, in memory, at most 5 MiB or 100,000 records per partition.

use std::{
    sync::mpsc,
    thread::{self, JoinHandle},
    time::Duration,
};
use transport::Transport;

use anyhow::Context;
use events::publisher::dead_letter_topic;
use operations::Manifest;
use rdkafka::{
    consumer::{BaseConsumer, Consumer},
    mocking::MockCluster,
    producer::DefaultProducerContext,
};
use saga::outbox::Prefix;
use tokio::sync::oneshot;

/// A running broker with all topics of the saga. Stops when dropped.
#[derive(Debug)]
pub struct Embedded {
    brokers: String,
    stop: Option<mpsc::Sender<()>>,
    keeper: Option<JoinHandle<()>>,
}

impl Embedded {
    /// Starts a broker with the shop's topics, of `partitions` each.
    pub async fn start(partitions: i32) -> anyhow::Result<Self> {
        Self::start_with(&Manifest::of_the_shop(), partitions, &Prefix::default()).await
    }

    /// Starts a broker with the manifest's topics, of `partitions` each. Clients cannot create topics on it later.
    pub async fn start_with(manifest: &Manifest, partitions: i32, prefix: &Prefix) -> anyhow::Result<Self> {
        let (topics, prefix): (Vec<String>, _) =
            (manifest.topics().into_iter().map(str::to_owned).collect(), prefix.clone());
        let (stop, stopped) = mpsc::channel::<()>();
        let (tell, told) = oneshot::channel();
        // The mock cluster must stay on the thread that created it.
        let keeper = thread::Builder::new().name("embedded-broker".to_owned()).spawn(move || {
            let cluster = create(&topics, partitions, &prefix);
            let brokers =
                cluster.as_ref().map(MockCluster::bootstrap_servers).map_err(|error| anyhow::anyhow!("{error:#}"));
            if tell.send(brokers).is_ok() {
                // Returns when the sender is dropped; nothing is ever sent.
                let _ = stopped.recv();
            }
        })?;
        let brokers = told.await.context("the embedded broker's thread ended")??;
        Ok(Self { brokers, stop: Some(stop), keeper: Some(keeper) })
    }

    /// host:port.
    pub fn brokers(&self) -> &str {
        &self.brokers
    }
}

fn create(
    topics: &[String],
    partitions: i32,
    prefix: &Prefix,
) -> anyhow::Result<MockCluster<'static, DefaultProducerContext>> {
    let cluster = MockCluster::new(1).context("starting the embedded broker")?;
    let client: BaseConsumer = Transport::plain().kafka(&cluster.bootstrap_servers()).create()?;
    let of_events = topics.iter().flat_map(|topic| [topic.clone(), dead_letter_topic(topic)]);
    let all = of_events.map(|topic| (topic, partitions)).chain([(audit_log::TOPIC.to_owned(), 1)]);
    for (topic, partitions) in all {
        let topic = prefix.of(&topic);
        let made = cluster.create_topic(topic.real(), partitions, 1);
        made.with_context(|| format!("creating the topic {topic} on the embedded broker"))?;
        // Two requests in quick succession can race in its wake-up, so that the second takes a second. Once it has answered
        // one request, it is ready for the next.
        let answer = client.fetch_metadata(Some(topic.real()), Duration::from_secs(10));
        answer.with_context(|| format!("fetching the metadata of {topic} from the embedded broker"))?;
    }
    Ok(cluster)
}

impl Drop for Embedded {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(keeper) = self.keeper.take() {
            let _ = keeper.join();
        }
    }
}
