//! Ensures that topics exist with the configured number of partitions; auto-creation is never used.

use std::{collections::HashSet, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use outbox::{
    RealName,
    publisher::{dead_letter_topic, is_dead_letter_topic, is_topic_of_events},
};
use rdkafka::{
    admin::{
        AdminClient, AdminOptions, ConfigResource, NewTopic, OwnedResourceSpecifier, ResourceSpecifier,
        TopicReplication,
    },
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer},
    types::RDKafkaErrorCode,
};

use crate::{
    runtime::{
        answers::is_readable,
        config::Cluster,
        replication::{self, Copies},
    },
    table::Table,
};

const TIMEOUT: Duration = Duration::from_secs(10);
const MAX_BYTES: &str = "max.message.bytes";

/// Kafka removes only whole segments, so events may stay for this much longer than their retention, and inboxes have to
/// remember them. A day, instead of Kafka's default of a week.
const SEGMENT: (&str, &str) = ("segment.ms", "86400000");

/// Settings of a topic that is created here.
///
/// Anyone may publish requests. They are stored uncompressed, so that the broker measures their real size: a few
/// kilobytes of gzip cannot become hundreds of megabytes in a service's memory. Their timestamps are the broker's, so
/// that no client can choose the date of a request. A dead letter is the original record plus some headers, and fits
/// where the original did. Events have room for whatever our own producers batch.
fn settings(topic: &str) -> &'static [(&'static str, &'static str)] {
    if is_dead_letter_topic(topic) {
        &[(MAX_BYTES, "2000000")]
    } else if is_topic_of_events(topic) {
        // The same compression as our own producers use. The client is built without zstd: one such record would stop a
        // partition for good.
        &[(MAX_BYTES, "2000000"), ("compression.type", "lz4"), SEGMENT]
    } else {
        &[
            (MAX_BYTES, "1600000"),
            ("compression.type", "uncompressed"),
            ("message.timestamp.type", "LogAppendTime"),
            SEGMENT,
        ]
    }
}

/// Topics that a service needs: its own, those that it reads, and their dead letters.
pub fn needed_by<C>(table: &Table<C>) -> Vec<String> {
    let mut topics = vec![table.service().topic().to_owned()];
    for topic in table.topics() {
        topics.extend([topic.to_owned(), dead_letter_topic(topic)]);
    }
    topics.sort_unstable();
    topics.dedup();
    topics
}

/// Topics that a service cannot do without: those that it reads, and their dead letters, which it writes. Its own topic is the
/// relay's business: where an administrator grants rights, the service does not even see it.
pub(crate) fn used_by<C>(table: &Table<C>) -> Vec<String> {
    let own = table.service().topic();
    let mut topics = needed_by(table);
    topics.retain(|topic| topic != own || table.topics().contains(&own));
    topics
}

/// Returns an error that names those of `topics` that are missing, or that this program may not see.
pub(crate) async fn expect(cluster: &Cluster, program: &str, topics: &[String]) -> anyhow::Result<()> {
    let Existing { missing, .. } = look(cluster, program, topics).await?;
    anyhow::ensure!(
        missing.is_empty(),
        "the topics {} do not exist, or may not be seen by this program, and KAFKA_TOPICS=expect leaves creating them to an \
         administrator: scenarios topics create",
        missing.iter().map(RealName::real).collect::<Vec<_>>().join(" ")
    );
    Ok(())
}

/// Creates missing topics. Existing ones keep their partitions and settings; a warning is logged for settings that weaken
/// a bound.
pub async fn ensure(cluster: &Cluster, program: &str, topics: &[String]) -> anyhow::Result<()> {
    let Existing { missing, brokers } = look(cluster, program, topics).await?;
    let all = topics.iter().map(|topic| cluster.topic(topic));
    let existing: Vec<RealName> = all.filter(|topic| !missing.contains(topic)).collect();
    if !existing.is_empty() {
        warn_of_settings(cluster, program, &existing).await;
    }
    if missing.is_empty() {
        return Ok(());
    }
    let admin: AdminClient<DefaultClientContext> =
        cluster.client(program).create().context("creating the Kafka client")?;
    let copies = Copies::choose(cluster.kafka.kafka_replication, brokers);
    if let Some(risk) = copies.risk(brokers) {
        tracing::warn!(brokers, "{risk}");
    }
    let in_sync = copies.in_sync.to_string();
    let new: Vec<NewTopic<'_>> = missing
        .iter()
        .map(|name| {
            let topic = NewTopic::new(name.real(), cluster.kafka.kafka_partitions, TopicReplication::Fixed(copies.all));
            let topic = if copies.all > 1 { topic.set("min.insync.replicas", &in_sync) } else { topic };
            settings(name.real()).iter().fold(topic, |topic, (name, value)| topic.set(name, value))
        })
        .collect();
    let options = AdminOptions::new().operation_timeout(Some(TIMEOUT)).request_timeout(Some(TIMEOUT));
    for result in admin.create_topics(&new, &options).await.context("creating topics")? {
        match result {
            Ok(topic) => tracing::info!(topic, partitions = cluster.kafka.kafka_partitions, "topic created"),
            Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((topic, code)) => bail!("the topic {topic} cannot be created: {code}"),
        }
    }
    until_known(cluster, program, missing).await
}

/// Waits until the broker knows new topics, which takes a moment. A client that subscribes earlier reads only the other
/// topics.
async fn until_known(cluster: &Cluster, program: &str, topics: Vec<RealName>) -> anyhow::Result<()> {
    let client: BaseConsumer = cluster.client(program).create().context("creating the Kafka client")?;
    let client = Arc::new(client);
    let known = async {
        for topic in &topics {
            while !is_known(&client, topic).await? {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        anyhow::Ok(())
    };
    let bounded = tokio::time::timeout(TIMEOUT, known).await;
    bounded.context("waiting for the broker to know the new topics")?
}

async fn is_known(client: &Arc<BaseConsumer>, topic: &RealName) -> anyhow::Result<bool> {
    let (client, topic) = (Arc::clone(client), topic.clone());
    let asked = tokio::task::spawn_blocking(move || client.fetch_metadata(Some(topic.real()), TIMEOUT));
    Ok(asked.await?.is_ok_and(|metadata| is_readable(&metadata)))
}

/// Topics that exist already, and the number of brokers.
struct Existing {
    missing: Vec<RealName>,
    brokers: usize,
}

async fn look(cluster: &Cluster, program: &str, topics: &[String]) -> anyhow::Result<Existing> {
    let client: BaseConsumer = cluster.client(program).create().context("creating the Kafka client")?;
    let addresses = cluster.brokers();
    let metadata = tokio::task::spawn_blocking(move || client.fetch_metadata(None, TIMEOUT))
        .await?
        .with_context(|| format!("querying {addresses} for its topics"))?;
    let topics: Vec<RealName> = topics.iter().map(|topic| cluster.topic(topic)).collect();
    let single = replication::single_copies(&metadata, &topics);
    if !single.is_empty() {
        let topics = single.join(" ");
        tracing::warn!(
            topics,
            "these topics have a single replica: if its broker fails, they are unavailable and everything stops at them"
        );
    }
    let existing: HashSet<&str> = metadata.topics().iter().map(rdkafka::metadata::MetadataTopic::name).collect();
    let missing = topics.into_iter().filter(|topic| !existing.contains(topic.real())).collect();
    Ok(Existing { missing, brokers: metadata.brokers().len() })
}

/// Only warns. A broker may not support the query, and an operator may have reasons for other settings.
async fn warn_of_settings(cluster: &Cluster, program: &str, topics: &[RealName]) {
    let wanted: Vec<ResourceSpecifier<'_>> =
        topics.iter().map(|topic| ResourceSpecifier::Topic(topic.real())).collect();
    let asked = async {
        let admin: AdminClient<DefaultClientContext> = cluster.client(program).create()?;
        admin.describe_configs(&wanted, &AdminOptions::new().request_timeout(Some(TIMEOUT))).await
    };
    match asked.await {
        Ok(answers) => answers.into_iter().flatten().for_each(|config| warn_of(&config)),
        Err(error) => tracing::debug!(%error, "the broker does not report its topics' settings; not checking them"),
    }
}

fn warn_of(config: &ConfigResource) {
    let OwnedResourceSpecifier::Topic(topic) = &config.specifier else { return };
    let has = |name: &str| config.get(name).and_then(|entry| entry.value.as_deref());
    let differing = differing(topic, has);
    if !differing.is_empty() {
        let settings = differing.join(",");
        tracing::warn!(
            topic,
            settings,
            "the topic lacks settings that bound a service's memory, leave room for dead letters or expire old events; to set them: \
             kafka-configs.sh --alter --topic {topic} --add-config {settings}"
        );
    }
}

/// Settings that should differ, as `name=value`. A smaller maximum record size matters for dead letters only.
fn differing<'a>(topic: &str, has: impl Fn(&str) -> Option<&'a str>) -> Vec<String> {
    let differs = |(name, should): &&(&str, &str)| match (has(name), should.parse::<u64>()) {
        (None, _) => false,
        (Some(is), Ok(should)) => {
            is.parse::<u64>().is_ok_and(|is| if is_dead_letter_topic(topic) { is < should } else { is > should })
        }
        (Some(is), Err(_)) => is != *should,
    };
    settings(topic).iter().filter(differs).map(|(name, should)| format!("{name}={should}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_let_too_much_through_are_told() {
        let found = |topic: &str, bytes: &'static str, compression: &'static str| {
            differing(topic, |name| match name {
                MAX_BYTES => Some(bytes),
                "compression.type" => Some(compression),
                _ => None,
            })
        };
        assert_eq!(found("trip.requests", "1048588", "uncompressed"), [""; 0]);
        assert_eq!(
            found("trip.requests", "5000000", "producer"),
            ["max.message.bytes=1600000", "compression.type=uncompressed"]
        );
        assert_eq!(found("hotel.events", "1048588", "producer"), ["compression.type=lz4"]);
        assert_eq!(found("trip.requests-dlt", "1048588", "producer"), ["max.message.bytes=2000000"]);
    }
}
