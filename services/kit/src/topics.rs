//! Making sure that the topics are there, with the partitions that were asked for: never by auto-creation.

use std::{collections::HashSet, time::Duration};

use anyhow::{Context, bail};
use events::publisher::dead_letter_topic;
use rdkafka::{
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer},
    types::RDKafkaErrorCode,
};

use crate::{config::Kafka, table::Table};

const TIMEOUT: Duration = Duration::from_secs(10);
/// A dead letter is the original record and some headers: it must fit where the original did.
const DEAD_LETTER_BYTES: &str = "2000000";

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

/// Creates those topics that are missing. Topics that exist keep the partitions that they have.
pub async fn ensure(kafka: &Kafka, program: &str, topics: &[String]) -> anyhow::Result<()> {
    let missing = missing(kafka, program, topics).await?;
    if missing.is_empty() {
        return Ok(());
    }
    let admin: AdminClient<DefaultClientContext> =
        kafka.client(program).create().context("creating the Kafka client")?;
    let new: Vec<NewTopic<'_>> = missing
        .iter()
        .map(|name| {
            let topic = NewTopic::new(name, kafka.kafka_partitions, TopicReplication::Fixed(kafka.kafka_replication));
            if name.ends_with("-dlt") { topic.set("max.message.bytes", DEAD_LETTER_BYTES) } else { topic }
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
    Ok(())
}

async fn missing(kafka: &Kafka, program: &str, topics: &[String]) -> anyhow::Result<Vec<String>> {
    let client: BaseConsumer = kafka.client(program).create().context("creating the Kafka client")?;
    let brokers = kafka.kafka_brokers.join(",");
    let existing: HashSet<String> = tokio::task::spawn_blocking(move || {
        let metadata = client.fetch_metadata(None, TIMEOUT)?;
        rdkafka::error::KafkaResult::Ok(metadata.topics().iter().map(|topic| topic.name().to_owned()).collect())
    })
    .await?
    .with_context(|| format!("asking {brokers} for its topics"))?;
    Ok(topics.iter().filter(|topic| !existing.contains(*topic)).cloned().collect())
}
