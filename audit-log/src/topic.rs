//! The topic of signed heads.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use outbox::{
    RealName,
    kafka::{Cluster, NO_GROUP},
};
use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer},
    producer::{FutureProducer, FutureRecord},
    types::RDKafkaErrorCode,
};
use tokio::{sync::OnceCell, time::timeout};

use crate::head::SignedHead;

/// Name of the topic.
pub const TOPIC: &str = "audit.heads";

const ASKED_WITHIN: Duration = Duration::from_secs(5);
/// Time for announcing one head, creating the topic included.
const ANNOUNCED_WITHIN: Duration = Duration::from_secs(10);
/// Time without any record after which reading is given up.
const PATIENCE: Duration = Duration::from_secs(20);

/// Heads as the topic has them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Announced {
    /// Value of each record, with its position `partition/offset`.
    pub heads: Vec<(String, Vec<u8>)>,
    /// Number of records that the topic no longer has, at its beginning or in between.
    pub lost: i64,
}

/// The topic, for one who announces heads.
#[derive(Clone)]
pub struct Topic {
    name: RealName,
    /// For those who create it and read it: they may not be allowed to write.
    client: ClientConfig,
    writer: ClientConfig,
    no_group: RealName,
    producer: Arc<OnceCell<FutureProducer>>,
}

impl Topic {
    /// The topic of the system on this cluster. Connects on first use.
    pub fn of(cluster: &Cluster) -> Self {
        Self::named(TOPIC, cluster)
    }

    /// A topic of another name.
    pub fn named(name: &str, cluster: &Cluster) -> Self {
        let (client, mut writer) = (cluster.client("audit-log"), cluster.producer("audit-log"));
        writer.set("message.timeout.ms", "5000");
        Topic { name: cluster.topic(name), client, writer, no_group: cluster.group(NO_GROUP), producer: Arc::default() }
    }

    /// Announces a head, and waits until the broker has it.
    ///
    /// # Errors
    /// If the broker does not take it in time.
    pub async fn announce(&self, head: &SignedHead) -> anyhow::Result<()> {
        let announced = async {
            let producer = self.producer.get_or_try_init(|| self.connect()).await?;
            let value = head.to_json();
            // Without a key: of records with the same one, a topic that is compacted keeps the last alone. It refuses these.
            let record = FutureRecord::<(), _>::to(self.name.real()).payload(&value);
            let sent = producer.send(record, ASKED_WITHIN).await;
            sent.map_err(|(error, _)| error).with_context(|| format!("publishing on {}", self.name))
        };
        timeout(ANNOUNCED_WITHIN, announced).await.context("the broker takes too long")?.map(drop)
    }

    /// Creates the topic if it is missing.
    ///
    /// # Errors
    /// If the broker does not answer, or refuses.
    pub async fn ensure(&self) -> anyhow::Result<()> {
        timeout(ANNOUNCED_WITHIN, self.create_if_missing()).await.context("the broker takes too long")?
    }

    /// Creates the topic if it is missing, and a producer for it.
    async fn connect(&self) -> anyhow::Result<FutureProducer> {
        self.create_if_missing().await?;
        self.writer.create().context("making the Kafka producer")
    }

    async fn create_if_missing(&self) -> anyhow::Result<()> {
        let admin: AdminClient<DefaultClientContext> = self.client.create().context("making the Kafka client")?;
        let name = self.name.clone();
        let look = move || {
            let all = admin.inner().fetch_metadata(Some(name.real()), ASKED_WITHIN).context("asking the broker")?;
            let found = all.topics().iter().any(|topic| topic.name() == name.real() && !topic.partitions().is_empty());
            anyhow::Ok((admin, found, all.brokers().len()))
        };
        let (admin, found, brokers) = tokio::task::spawn_blocking(look).await.context("asking the broker")??;
        if found { Ok(()) } else { self.create(&admin, brokers).await }
    }

    async fn create(&self, admin: &AdminClient<DefaultClientContext>, brokers: usize) -> anyhow::Result<()> {
        let copies = if brokers >= 3 { 3 } else { 1 };
        // Heads are never removed, by age, size or key: each of them is evidence.
        let topic = NewTopic::new(self.name.real(), 1, TopicReplication::Fixed(copies))
            .set("cleanup.policy", "delete")
            .set("retention.ms", "-1")
            .set("retention.bytes", "-1")
            .set("min.insync.replicas", if copies == 3 { "2" } else { "1" });
        let options = AdminOptions::new().operation_timeout(Some(ASKED_WITHIN)).request_timeout(Some(ASKED_WITHIN));
        for result in admin.create_topics([&topic], &options).await.context("creating the topic of heads")? {
            match result {
                Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((topic, code)) => bail!("the topic {topic} cannot be created: {code}"),
            }
        }
        Ok(())
    }

    /// Reads all heads up to the topic's current end; none if there is no such topic.
    ///
    /// # Errors
    /// If the broker does not answer, or stops answering before the end.
    pub async fn read(&self) -> anyhow::Result<Announced> {
        let (name, mut client) = (self.name.clone(), self.client.clone());
        client.set("group.id", self.no_group.real());
        tokio::task::spawn_blocking(move || read(&name, &client)).await.context("reading the heads")?
    }
}

fn read(name: &RealName, client: &ClientConfig) -> anyhow::Result<Announced> {
    let mut settings = client.clone();
    settings.set("enable.auto.commit", "false");
    settings.set("auto.offset.reset", "earliest").set("allow.auto.create.topics", "false");
    let consumer: BaseConsumer = settings.create().context("making the Kafka consumer")?;
    let metadata =
        consumer.fetch_metadata(Some(name.real()), ASKED_WITHIN).context("asking the broker for the heads")?;
    let (mut announced, mut assigned) = (Announced::default(), TopicPartitionList::new());
    let (mut highs, mut ends, mut there) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
    for partition in metadata.topics().iter().flat_map(|topic| topic.partitions()) {
        let marks = consumer.fetch_watermarks(name.real(), partition.id(), ASKED_WITHIN);
        let (low, high) = marks.with_context(|| format!("asking for the offsets of {name}/{}", partition.id()))?;
        highs.insert(partition.id(), high);
        if low < high {
            assigned.add_partition_offset(name.real(), partition.id(), Offset::Offset(low))?;
            ends.insert(partition.id(), high);
        }
    }
    consumer.assign(&assigned).context("assigning the partitions of the heads")?;
    let mut last = Instant::now();
    while !ends.is_empty() {
        anyhow::ensure!(last.elapsed() < PATIENCE, "the broker stopped answering before the end of {name}");
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(record)) => {
                last = Instant::now();
                let place = format!("{}/{}", record.partition(), record.offset());
                there.insert((record.partition(), record.offset()));
                announced.heads.push((place, record.payload().unwrap_or_default().to_vec()));
                if ends.get(&record.partition()).is_some_and(|end| record.offset() + 1 >= *end) {
                    ends.remove(&record.partition());
                }
            }
            Some(Err(error)) => tracing::debug!(%error, "reading the heads failed; retrying"),
            None => {
                // The last offsets of a partition may hold no record: the position shows it.
                let positions = consumer.position().context("asking for positions")?;
                ends.retain(|partition, end| {
                    let at = positions.find_partition(name.real(), *partition).and_then(|at| at.offset().to_raw());
                    at.is_none_or(|at| at < *end)
                });
            }
        }
    }
    announced.lost = lost(&highs, &there);
    Ok(announced)
}

/// Number of records below each partition's end that are not there: removed by their age, or from anywhere by their key.
fn lost(highs: &BTreeMap<i32, i64>, there: &BTreeSet<(i32, i64)>) -> i64 {
    let below = |(partition, high): (&i32, &i64)| there.range((*partition, 0)..(*partition, *high)).count();
    highs.iter().map(|each| *each.1 - i64::try_from(below(each)).unwrap_or(i64::MAX)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_that_are_missing_anywhere_are_counted() {
        let highs = BTreeMap::from([(0, 5), (1, 2), (2, 0)]);
        let all: BTreeSet<(i32, i64)> = (0..5).map(|offset| (0, offset)).chain([(1, 0), (1, 1)]).collect();
        assert_eq!(lost(&highs, &all), 0);
        // From the beginning, from the middle; and a later one makes up for none.
        for (gone, count) in [(&[(0, 0), (0, 1)][..], 2), (&[(0, 2)], 1), (&[(0, 1), (0, 3), (1, 0)], 3)] {
            let left = all.iter().copied().filter(|place| !gone.contains(place)).chain([(0, 5), (0, 6)]).collect();
            assert_eq!(lost(&highs, &left), count, "{gone:?}");
        }
    }
}
