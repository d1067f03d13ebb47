//! Whether the inbox remembers for longer than the topics keep: otherwise an event that comes again would count again.

use std::time::Duration;

use anyhow::Context;
use rdkafka::{
    admin::{AdminClient, AdminOptions, OwnedResourceSpecifier, ResourceSpecifier},
    client::DefaultClientContext,
    error::KafkaError,
    types::RDKafkaErrorCode,
};

use crate::config::Kafka;

const TIMEOUT: Duration = Duration::from_secs(10);
const RETENTION: &str = "retention.ms";

/// How long a topic keeps its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    For(Duration),
    Forever,
}

/// What the inbox's memory is worth, compared with some topics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Long,
    /// The broker cannot be asked.
    Unknown,
    /// Some topics keep events for ever: no inbox is longer.
    NeverLong {
        topics: Vec<String>,
    },
    /// Too short: what to do about it.
    TooShort(String),
}

/// Compares an inbox that remembers for `hours` with what `topics` keep.
///
/// # Errors
/// If the broker does not answer.
pub async fn compare(kafka: &Kafka, program: &str, topics: &[&str], hours: u32) -> anyhow::Result<Verdict> {
    let admin: AdminClient<DefaultClientContext> =
        kafka.client(program).create().context("creating the Kafka client")?;
    let (admin, broker) = tokio::task::spawn_blocking(move || {
        let broker = admin.inner().fetch_metadata(None, TIMEOUT)?.brokers().first().map(|broker| broker.id());
        rdkafka::error::KafkaResult::Ok((admin, broker))
    })
    .await?
    .context("asking for the brokers")?;
    // With a broker's own settings the question goes to that broker; without, to the controller, and one that has none (the
    // embedded broker) would be waited for in vain.
    let broker = broker.map(ResourceSpecifier::Broker);
    let wanted: Vec<ResourceSpecifier<'_>> =
        topics.iter().map(|topic| ResourceSpecifier::Topic(topic)).chain(broker).collect();
    let answers = match admin.describe_configs(&wanted, &AdminOptions::new().request_timeout(Some(TIMEOUT))).await {
        Ok(answers) => answers,
        Err(KafkaError::AdminOp(RDKafkaErrorCode::UnsupportedFeature)) => return Ok(Verdict::Unknown),
        Err(error) => return Err(error).context("asking how long the topics keep events"),
    };
    let mut kept = Vec::new();
    for answer in answers {
        let config = match answer {
            Ok(config) => config,
            // A broker that has no such request, or does not let us see: then nobody can tell.
            Err(RDKafkaErrorCode::UnsupportedFeature | RDKafkaErrorCode::TopicAuthorizationFailed) => {
                return Ok(Verdict::Unknown);
            }
            Err(code) => anyhow::bail!("asking how long the topics keep events: {code}"),
        };
        let ms = config.get(RETENTION).and_then(|entry| entry.value.as_deref()).and_then(|ms| ms.parse().ok());
        if let (OwnedResourceSpecifier::Topic(topic), Some(ms)) = (config.specifier, ms) {
            kept.push((topic, read(ms)));
        }
    }
    Ok(judge(kept, hours))
}

fn read(retention_ms: i64) -> Kept {
    u64::try_from(retention_ms).map_or(Kept::Forever, |ms| Kept::For(Duration::from_millis(ms)))
}

fn judge(kept: Vec<(String, Kept)>, hours: u32) -> Verdict {
    let inbox = Duration::from_secs(u64::from(hours) * 3600);
    let longest = kept.iter().filter_map(|(topic, kept)| match kept {
        Kept::For(time) if *time > inbox => Some((time, topic)),
        Kept::For(_) | Kept::Forever => None,
    });
    if let Some((time, topic)) = longest.max() {
        let needed = time.as_secs().div_ceil(3600);
        return Verdict::TooShort(format!(
            "INBOX_RETENTION_HOURS is {hours}, but the topic {topic} keeps events for {needed} hours ({RETENTION}={}): an event \
             that came again after {hours} hours would count twice. Set INBOX_RETENTION_HOURS to {needed} or more, or the \
             topic's {RETENTION} to {} or less",
            time.as_millis(),
            inbox.as_millis(),
        ));
    }
    let topics: Vec<String> =
        kept.into_iter().filter(|(_, kept)| *kept == Kept::Forever).map(|(topic, _)| topic).collect();
    if topics.is_empty() { Verdict::Long } else { Verdict::NeverLong { topics } }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(retention_ms: &[i64], hours: u32) -> Verdict {
        judge(retention_ms.iter().map(|&ms| (format!("topic-{ms}"), read(ms))).collect(), hours)
    }

    #[test]
    fn an_inbox_has_to_remember_at_least_as_long_as_the_longest_topic() {
        assert_eq!(of(&[604_800_000, 3_600_000], 168), Verdict::Long);
        let Verdict::TooShort(why) = of(&[3_600_000, 604_800_000], 167) else { panic!("it is too short") };
        for word in ["INBOX_RETENTION_HOURS is 167", "topic-604800000", "168 or more", "601200000 or less"] {
            assert!(why.contains(word), "{why}");
        }
    }

    #[test]
    fn no_inbox_is_longer_than_for_ever() {
        assert_eq!(of(&[-1, 3_600_000], 24), Verdict::NeverLong { topics: vec!["topic--1".into()] });
        assert!(matches!(of(&[-1, 604_800_000], 24), Verdict::TooShort(_)));
    }
}
