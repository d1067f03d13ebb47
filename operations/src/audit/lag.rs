//! Read positions of each service. What lies beyond them is in flight to that service and cannot be judged by yet.

use saga::outbox::{Prefix, kafka::Cluster};
use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use events::Publisher;
use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
};

use crate::{
    Database,
    archive::{self, Offsets},
    choreography::Choreography,
    databases::Databases,
    positions,
};

const TIMEOUT: Duration = Duration::from_secs(15);

/// A service's position on one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub service: Publisher,
    pub topic: String,
    pub partition: i32,
    /// Everything before this offset is done: the smaller of Kafka's committed offset and the position that the service saved,
    /// because reading resumes there.
    pub done: i64,
    /// End offset of the partition.
    pub end: i64,
}

impl Place {
    /// Number of records still to be read.
    pub fn lag(&self) -> i64 {
        (self.end - self.done).max(0)
    }
}

/// The positions of all services.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places(pub Vec<Place>);

impl Places {
    /// Tells whether the service has certainly read the record at this offset.
    pub fn has_read(&self, service: Publisher, topic: &str, partition: i32, offset: i64) -> bool {
        self.0
            .iter()
            .any(|at| at.service == service && at.partition == partition && at.topic == topic && offset < at.done)
    }

    /// Each service that lags, and by how many offsets.
    pub fn behind(&self) -> Vec<(Publisher, i64)> {
        let lag = |service: Publisher| -> i64 {
            self.0.iter().filter(|place| place.service == service).map(Place::lag).sum()
        };
        let mut services: Vec<Publisher> = self.0.iter().map(|place| place.service).collect();
        services.dedup();
        services.into_iter().map(|service| (service, lag(service))).filter(|(_, lag)| *lag > 0).collect()
    }
}

/// The consumer groups, seen from outside: joins none, and moves no offset.
#[derive(Clone)]
pub struct Groups {
    brokers: Cluster,
    groups: Arc<Vec<Group>>,
}

struct Group {
    database: Database,
    service: Publisher,
    topics: Vec<String>,
    prefix: Prefix,
    client: BaseConsumer,
}

impl Groups {
    /// The groups of the shop's services.
    ///
    /// # Errors
    /// If a client cannot be made.
    pub fn of_the_shop(brokers: &Cluster) -> anyhow::Result<Self> {
        let shop = Choreography::of_the_shop();
        Self::of(brokers, Database::OF_THE_SHOP.map(|own| (own, shop.topics_of(own.publisher().name()))))
    }

    /// The groups of these databases' services, which read these topics.
    pub(super) fn of(
        brokers: &Cluster,
        services: impl IntoIterator<Item = (Database, Vec<String>)>,
    ) -> anyhow::Result<Self> {
        let groups = services.into_iter().map(|(database, topics)| {
            let service = database.publisher();
            let client = brokers
                .client("scenarios")
                .set("client.id", "scenarios")
                .set("group.id", brokers.group(service.name()).real())
                .set("enable.auto.commit", "false")
                .set("allow.auto.create.topics", "false")
                .create()
                .context("creating a Kafka client")?;
            Ok(Group { database, service, topics, prefix: brokers.prefix().clone(), client })
        });
        Ok(Groups { brokers: brokers.to_owned(), groups: Arc::new(groups.collect::<anyhow::Result<_>>()?) })
    }

    /// Each service with records left to read, and an upper bound of their number.
    ///
    /// # Errors
    /// If the broker or a database does not answer.
    pub async fn behind(&self, databases: &Databases) -> anyhow::Result<Vec<(Publisher, i64)>> {
        let Places(mut places) = self.places(databases).await?;
        places.retain(|place| place.lag() > 0);
        let mut offsets = Offsets::new();
        for place in &places {
            let least = offsets.entry((place.topic.clone(), place.partition)).or_insert(place.done..place.end);
            least.start = least.start.min(place.done);
        }
        if offsets.is_empty() {
            return Ok(Vec::new());
        }
        let brokers = self.brokers.clone();
        let with_records = tokio::task::spawn_blocking(move || archive::with_records(&brokers, offsets)).await??;
        places.retain(|place| with_records.contains(&(place.topic.clone(), place.partition)));
        Ok(Places(places).behind())
    }

    /// The current positions of all services.
    ///
    /// # Errors
    /// If the broker or a database does not answer.
    pub async fn places(&self, databases: &Databases) -> anyhow::Result<Places> {
        let groups = self.clone();
        // Ends first, so that records that arrive meanwhile do not count as lag.
        let mut places = tokio::task::spawn_blocking(move || {
            let mut ends = HashMap::new();
            let mut places = Vec::new();
            for group in groups.groups.iter() {
                group.places(&mut ends, &mut places)?;
            }
            anyhow::Ok(places)
        })
        .await??;
        for group in self.groups.iter() {
            let saved = positions::of(databases, group.database).await?;
            for place in places.iter_mut().filter(|place| place.service == group.service) {
                // Without a row, reading starts at the beginning, unless there was never anything to read.
                let saved = saved.get(&(place.topic.clone(), place.partition)).copied().unwrap_or(0);
                place.done = place.done.min(saved.max(place.beginning));
            }
        }
        Ok(Places(places.into_iter().map(Place::from).collect()))
    }
}

struct Found {
    service: Publisher,
    topic: String,
    partition: i32,
    beginning: i64,
    done: i64,
    end: i64,
}

impl From<Found> for Place {
    fn from(found: Found) -> Place {
        let Found { service, topic, partition, beginning: _, done, end } = found;
        Place { service, topic, partition, done, end }
    }
}

/// First offset and end offset, by partition.
type Ends = HashMap<(String, i32), (i64, i64)>;

impl Group {
    fn places(&self, ends: &mut Ends, places: &mut Vec<Found>) -> anyhow::Result<()> {
        let mut list = TopicPartitionList::new();
        for topic in &self.topics {
            let real = self.prefix.of(topic);
            let metadata = self.client.fetch_metadata(Some(real.real()), TIMEOUT);
            let metadata = metadata.with_context(|| format!("metadata of {real}"))?;
            for partition in metadata.topics().iter().flat_map(|topic| topic.partitions()) {
                list.add_partition(real.real(), partition.id());
                let key = (topic.clone(), partition.id());
                if let Entry::Vacant(unknown) = ends.entry(key) {
                    let between = self.client.fetch_watermarks(real.real(), partition.id(), TIMEOUT);
                    unknown.insert(between.with_context(|| format!("fetching the end of {topic}"))?);
                }
            }
        }
        let committed = self.client.committed_offsets(list, TIMEOUT);
        let committed = committed.with_context(|| format!("fetching the committed offsets of {}", self.service))?;
        for element in committed.elements() {
            let Some(topic) = self.prefix.name_of(element.topic()) else { continue };
            let (topic, partition) = (topic.to_owned(), element.partition());
            let Some((beginning, end)) = ends.get(&(topic.clone(), partition)).copied() else { continue };
            let done = match element.offset() {
                Offset::Offset(offset) => offset.max(beginning),
                _ => beginning,
            };
            places.push(Found { service: self.service, topic, partition, beginning, done, end });
        }
        Ok(())
    }
}
