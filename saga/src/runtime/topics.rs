//! Making sure that the topics are there, with the partitions that were asked for: never by auto-creation.

use std::{collections::HashSet, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use outbox::publisher::{dead_letter_topic, is_dead_letter_topic, is_topic_of_events};
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
        config::Kafka,
        replication::{self, Copies},
    },
    table::Table,
};

const TIMEOUT: Duration = Duration::from_secs(10);
const MAX_BYTES: &str = "max.message.bytes";

/// Only whole segments are removed, so events lie there for up to this longer than their retention, and inboxes have to remember
/// them: a day, instead of Kafka's week.
const SEGMENT: (&str, &str) = ("segment.ms", "86400000");

/// Settings of a topic that is made here.
///
/// Anyone may publish requests. Kept uncompressed, they are measured by the broker as they are and not as they came: a few
/// kilobytes of gzip cannot become hundreds of megabytes in a service's memory. Their timestamps are the broker's: no client
/// decides of which day a request is. A dead letter is the original record and some headers, and fits where the original did.
/// Events have room for whatever our own producers batch.
fn settings(topic: &str) -> &'static [(&'static str, &'static str)] {
    if is_dead_letter_topic(topic) {
        &[(MAX_BYTES, "2000000")]
    } else if is_topic_of_events(topic) {
        // As our own producers compress. The client is built without zstd: a record in it would stop a partition for good.
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

/// The topics that a service needs: its own, those that it reads, and their dead letters.
pub fn needed_by<C>(table: &Table<C>) -> Vec<String> {
    let mut topics = vec![table.service().topic().to_owned()];
    for topic in table.topics() {
        topics.extend([topic.to_owned(), dead_letter_topic(topic)]);
    }
    topics.sort_unstable();
    topics.dedup();
    topics
}

/// Creates those topics that are missing. Topics that exist keep the partitions and the settings that they have; where
/// settings would let more through than expected, that is warned of.
pub async fn ensure(kafka: &Kafka, program: &str, topics: &[String]) -> anyhow::Result<()> {
    let Existing { missing, brokers } = look(kafka, program, topics).await?;
    let existing: Vec<&str> = topics.iter().filter(|topic| !missing.contains(topic)).map(String::as_str).collect();
    if !existing.is_empty() {
        warn_of_settings(kafka, program, &existing).await;
    }
    if missing.is_empty() {
        return Ok(());
    }
    let admin: AdminClient<DefaultClientContext> =
        kafka.client(program).create().context("creating the Kafka client")?;
    let copies = Copies::choose(kafka.kafka_replication, brokers);
    if let Some(risk) = copies.risk(brokers) {
        tracing::warn!(brokers, "{risk}");
    }
    let in_sync = copies.in_sync.to_string();
    let new: Vec<NewTopic<'_>> = missing
        .iter()
        .map(|name| {
            let topic = NewTopic::new(name, kafka.kafka_partitions, TopicReplication::Fixed(copies.all));
            let topic = if copies.all > 1 { topic.set("min.insync.replicas", &in_sync) } else { topic };
            settings(name).iter().fold(topic, |topic, (name, value)| topic.set(name, value))
        })
        .collect();
    let options = AdminOptions::new().operation_timeout(Some(TIMEOUT)).request_timeout(Some(TIMEOUT));
    for result in admin.create_topics(&new, &options).await.context("creating topics")? {
        match result {
            Ok(topic) => tracing::info!(topic, partitions = kafka.kafka_partitions, "topic created"),
            Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((topic, code)) => bail!("the topic {topic} cannot be created: {code}"),
        }
    }
    until_known(kafka, program, missing).await
}

/// A broker hears of new topics a moment after they were made, and a client that subscribes to one before that reads the
/// others without it.
async fn until_known(kafka: &Kafka, program: &str, topics: Vec<String>) -> anyhow::Result<()> {
    let client: BaseConsumer = kafka.client(program).create().context("creating the Kafka client")?;
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
    bounded.context("topics were made, and the broker does not know them")?
}

async fn is_known(client: &Arc<BaseConsumer>, topic: &str) -> anyhow::Result<bool> {
    let (client, topic) = (Arc::clone(client), topic.to_owned());
    let asked = tokio::task::spawn_blocking(move || client.fetch_metadata(Some(&topic), TIMEOUT));
    Ok(asked.await?.is_ok_and(|metadata| is_readable(&metadata)))
}

/// The topics that exist already.
struct Existing {
    missing: Vec<String>,
    brokers: usize,
}

async fn look(kafka: &Kafka, program: &str, topics: &[String]) -> anyhow::Result<Existing> {
    let client: BaseConsumer = kafka.client(program).create().context("creating the Kafka client")?;
    let addresses = kafka.kafka_brokers.join(",");
    let metadata = tokio::task::spawn_blocking(move || client.fetch_metadata(None, TIMEOUT))
        .await?
        .with_context(|| format!("asking {addresses} for its topics"))?;
    let single = replication::single_copies(&metadata, topics);
    if !single.is_empty() {
        let topics = single.join(" ");
        tracing::warn!(
            topics,
            "these topics have a single copy: a broker that dies takes it along, and all stops at it"
        );
    }
    let existing: HashSet<&str> = metadata.topics().iter().map(rdkafka::metadata::MetadataTopic::name).collect();
    let missing = topics.iter().filter(|topic| !existing.contains(topic.as_str())).cloned().collect();
    Ok(Existing { missing, brokers: metadata.brokers().len() })
}

/// Only ever warns: what cannot be asked is left as it is, and an operator may have reasons for other settings.
async fn warn_of_settings(kafka: &Kafka, program: &str, topics: &[&str]) {
    let wanted: Vec<ResourceSpecifier<'_>> = topics.iter().map(|topic| ResourceSpecifier::Topic(topic)).collect();
    let asked = async {
        let admin: AdminClient<DefaultClientContext> = kafka.client(program).create()?;
        admin.describe_configs(&wanted, &AdminOptions::new().request_timeout(Some(TIMEOUT))).await
    };
    match asked.await {
        Ok(answers) => answers.into_iter().flatten().for_each(|config| warn_of(&config)),
        Err(error) => tracing::debug!(%error, "the broker does not tell its topics' settings"),
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
            "the topic has other settings than those that bound a service's memory, let dead letters fit and let old events go; to set them: \
             kafka-configs.sh --alter --topic {topic} --add-config {settings}"
        );
    }
}

/// Settings that should be otherwise, as `name=value`. Smaller records are no trouble, except to dead letters.
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
