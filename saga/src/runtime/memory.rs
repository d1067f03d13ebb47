//! The retention check: the inbox must remember events for longer than topics retain them, or a redelivered event would
//! be applied twice.

use std::time::Duration;

use anyhow::Context;
use rdkafka::{
    admin::{AdminClient, AdminOptions, OwnedResourceSpecifier, ResourceSpecifier},
    client::DefaultClientContext,
    error::KafkaError,
    types::RDKafkaErrorCode,
};

use crate::runtime::{config::Cluster, upkeep::Retention};

const TIMEOUT: Duration = Duration::from_secs(10);
const RETENTION: &str = "retention.ms";
/// Kafka removes only whole segments, once their last event is past its retention: the first is older by up to this.
const SEGMENT: &str = "segment.ms";
const CLEANUP: &str = "cleanup.policy";
/// The broker looks for expired segments every few minutes.
const BROKER_LOOKS: Duration = Duration::from_secs(10 * 60);
/// The outbox retains whole days.
const DAY_HOURS: u64 = 24;

/// Retention of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    /// `retention.ms`, plus the time until the rest of the segment expires.
    For { retention: Duration, segment: Duration },
    /// No time limit: no retention at all, a limit in bytes only, or only compaction.
    Forever,
}

/// Result of comparing the inbox's retention with that of some topics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sufficiency {
    /// Long enough for any redelivery.
    Long,
    /// Long enough for redelivery by Kafka, but not for everything that a replay can publish again.
    ShortForReplays(String),
    /// The broker does not support or permit the query.
    Unknown,
    /// Some topics retain events for ever, which no inbox can match.
    NeverLong {
        /// Names of the topics.
        topics: Vec<String>,
    },
    /// Too short; says what to do about it.
    TooShort(String),
}

/// Compares the inbox's retention with that of `topics`, and with that of the outboxes, whose events can be replayed.
///
/// # Errors
/// If the broker does not answer.
pub async fn compare(
    cluster: &Cluster,
    program: &str,
    topics: &[&str],
    retention: Retention,
) -> anyhow::Result<Sufficiency> {
    let admin: AdminClient<DefaultClientContext> =
        cluster.client(program).create().context("creating the Kafka client")?;
    let (admin, broker) = tokio::task::spawn_blocking(move || {
        let broker = admin.inner().fetch_metadata(None, TIMEOUT)?.brokers().first().map(|broker| broker.id());
        rdkafka::error::KafkaResult::Ok((admin, broker))
    })
    .await?
    .context("querying the brokers")?;
    // A query that includes a broker's own settings goes to that broker. Otherwise it goes to the controller, and would
    // time out where there is none (the embedded broker).
    let broker = broker.map(ResourceSpecifier::Broker);
    let topics: Vec<_> = topics.iter().map(|topic| cluster.topic(topic)).collect();
    let wanted: Vec<ResourceSpecifier<'_>> =
        topics.iter().map(|topic| ResourceSpecifier::Topic(topic.real())).chain(broker).collect();
    let answers = match admin.describe_configs(&wanted, &AdminOptions::new().request_timeout(Some(TIMEOUT))).await {
        Ok(answers) => answers,
        Err(KafkaError::AdminOp(RDKafkaErrorCode::UnsupportedFeature)) => return Ok(Sufficiency::Unknown),
        Err(error) => return Err(error).context("querying the topics' retention"),
    };
    let mut kept = Vec::new();
    for answer in answers {
        let config = match answer {
            Ok(config) => config,
            // A broker without this request, or one that denies it: the retention stays unknown.
            Err(RDKafkaErrorCode::UnsupportedFeature | RDKafkaErrorCode::TopicAuthorizationFailed) => {
                return Ok(Sufficiency::Unknown);
            }
            // Asked only to find somebody who answers; a service has no right to a broker's settings, and needs none.
            Err(RDKafkaErrorCode::ClusterAuthorizationFailed) => continue,
            Err(code) => anyhow::bail!("querying the topics' retention: {code}"),
        };
        let text = |name| config.get(name).and_then(|entry| entry.value.as_deref());
        let ms = |name| text(name).and_then(|ms| ms.parse::<i64>().ok());
        if let (OwnedResourceSpecifier::Topic(topic), Some(retention)) = (&config.specifier, ms(RETENTION)) {
            let deletes = text(CLEANUP).is_none_or(|policy| policy.contains("delete"));
            kept.push((topic.clone(), read(retention, ms(SEGMENT).unwrap_or(0), deletes)));
        }
    }
    Ok(judge(kept, retention))
}

fn read(retention_ms: i64, segment_ms: i64, deletes: bool) -> Kept {
    match u64::try_from(retention_ms) {
        Ok(ms) if deletes => Kept::For {
            retention: Duration::from_millis(ms),
            segment: Duration::from_millis(u64::try_from(segment_ms).unwrap_or(0)),
        },
        _ => Kept::Forever,
    }
}

fn judge(kept: Vec<(String, Kept)>, Retention { inbox_hours, outbox_hours }: Retention) -> Sufficiency {
    let longest = kept.iter().filter_map(|(topic, kept)| match *kept {
        Kept::For { retention, segment } => Some((retention + segment + BROKER_LOOKS, topic, retention, segment)),
        Kept::Forever => None,
    });
    if let Some((time, topic, retention, segment)) = longest.max() {
        let hours = time.as_secs().div_ceil(3600);
        let told = format!(
            "{RETENTION}={} plus {SEGMENT}={}, because Kafka removes only whole segments",
            retention.as_millis(),
            segment.as_millis()
        );
        if u64::from(inbox_hours) < hours {
            return Sufficiency::TooShort(format!(
                "INBOX_RETENTION_HOURS is {inbox_hours}, but the topic {topic} retains events for {hours} hours ({told}): an \
                 event redelivered after {inbox_hours} hours would be applied twice. Set INBOX_RETENTION_HOURS to {hours} or \
                 more, or reduce the topic's {RETENTION} and {SEGMENT}"
            ));
        }
        // A replay publishes an event on the topic again, which retains it once more.
        let replayed = u64::from(outbox_hours) + DAY_HOURS;
        if u64::from(inbox_hours) < hours + replayed {
            let safe = u64::from(inbox_hours) - hours;
            return Sufficiency::ShortForReplays(format!(
                "the topic {topic} retains events for {hours} hours ({told}), and outboxes retain them for {outbox_hours} hours \
                 for replays: with INBOX_RETENTION_HOURS={inbox_hours}, do not replay events older than {safe} hours, \
                 or set it to {}",
                hours + replayed
            ));
        }
    }
    let topics: Vec<String> =
        kept.into_iter().filter(|(_, kept)| *kept == Kept::Forever).map(|(topic, _)| topic).collect();
    if topics.is_empty() { Sufficiency::Long } else { Sufficiency::NeverLong { topics } }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: i64 = 3_600_000;

    /// Topics by the hours of their retention and of their segments.
    fn of(topics: &[(i64, i64)], inbox_hours: u32, outbox_hours: u32) -> Sufficiency {
        let kept = topics.iter().map(|&(retention, segment)| {
            (format!("topic-{retention}-{segment}"), read(retention * HOUR_MS, segment * HOUR_MS, true))
        });
        judge(kept.collect(), Retention { inbox_hours, outbox_hours })
    }

    #[test]
    fn an_inbox_has_to_remember_for_as_long_as_the_oldest_event_of_the_last_segment_may_lie_there() {
        let Sufficiency::TooShort(why) = of(&[(1, 1), (168, 24)], 192, 0) else { panic!("it is too short") };
        for word in ["INBOX_RETENTION_HOURS is 192", "topic-168-24", "193 or more", "segment.ms=86400000"] {
            assert!(why.contains(word), "{why}");
        }
        assert!(!matches!(of(&[(1, 1), (168, 24)], 193, 0), Sufficiency::TooShort(_)));
    }

    #[test]
    fn what_can_be_published_again_comes_on_top_and_is_warned_of() {
        let Sufficiency::ShortForReplays(why) = of(&[(168, 24)], 300, 168) else { panic!("too short for replays") };
        for word in ["older than 107 hours", "set it to 385"] {
            assert!(why.contains(word), "{why}");
        }
        assert_eq!(of(&[(168, 24)], 385, 168), Sufficiency::Long);
    }

    #[test]
    fn no_inbox_is_longer_than_for_ever() {
        assert_eq!(of(&[(-1, 1), (1, 1)], 48, 0), Sufficiency::NeverLong { topics: vec!["topic--1-1".into()] });
        assert!(matches!(of(&[(-1, 1), (168, 1)], 24, 0), Sufficiency::TooShort(_)));
        // Compaction alone removes nothing because of its age.
        let compacted =
            judge(vec![("t".into(), read(HOUR_MS, HOUR_MS, false))], Retention { inbox_hours: 99, outbox_hours: 0 });
        assert_eq!(compacted, Sufficiency::NeverLong { topics: vec!["t".into()] });
    }
}
