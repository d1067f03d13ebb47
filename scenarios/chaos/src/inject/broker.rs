//! Faults of the broker, and records that nobody wants.

use std::{collections::HashMap, time::Duration};

use anyhow::{Context, bail};
use futures::{FutureExt, future::join_all};
use operations::{archive, databases::Databases, listener};
use rand::seq::IteratorRandom;
use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions, AlterConfig, ConfigSource, ResourceSpecifier},
    client::DefaultClientContext,
};
use saga::record::Record;
use testbed::Started;
use tokio::time::sleep;

use super::{Ended, Ending, Injector, NOT_OURS};
use crate::{bad_requests, hostile};

/// A setting by which every write is rejected, and the value that does it where topics have one copy.
const REJECT_WRITES: (&str, &str) = ("min.insync.replicas", "2");

/// What a topic was told by whoever made it.
type TopicSettings = HashMap<String, Vec<(String, String)>>;

impl Injector<'_> {
    pub(super) async fn stop_kafka(&mut self, time: Duration) -> anyhow::Result<Ending> {
        let foundation = self.stack.foundation().context(NOT_OURS)?;
        let Started::Kafka(kafka) = &mut foundation.broker else { bail!("the embedded broker cannot be stopped") };
        kafka.go_away().await?;
        sleep(time).await;
        kafka.come_back().await?;
        self.diary.note("  Kafka is back");
        let ended = Ended::now();
        Ok(async { Ok(ended) }.boxed())
    }

    /// With more replicas wanted in sync than there are, every write is answered with NOT_ENOUGH_REPLICAS.
    pub(super) fn reject_writes(&self, time: Duration) -> Ending {
        let (brokers, diary) = (self.environment.brokers.clone(), self.diary.clone());
        async move {
            let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
                .set("bootstrap.servers", &brokers)
                .set("reconnect.backoff.max.ms", "500")
                .create()
                .context("creating the Kafka client")?;
            let Ok(before) = settings(&admin).await else {
                return Ok(Ended::LeftOut("the broker does not tell its topics' settings".to_owned()));
            };
            // If it fails half-way, what was changed is undone below all the same.
            let rejected = alter(&admin, &before, Some(REJECT_WRITES)).await;
            sleep(time).await;
            let mut undone = alter(&admin, &before, None).await;
            for _ in 0..50 {
                if undone.is_ok() {
                    break;
                }
                sleep(Duration::from_millis(500)).await;
                undone = alter(&admin, &before, None).await;
            }
            undone.context("letting the broker accept writes again")?;
            diary.note("  Kafka accepts writes again");
            Ok(match rejected {
                Ok(()) => Ended::now(),
                Err(error) => Ended::LeftOut(format!("{error:#}")),
            })
        }
        .boxed()
    }

    /// Any records of any topics, as they are: events keep their ids, and requests name their orders.
    pub(super) async fn repeat(&mut self, how_many: usize) -> anyhow::Result<Ending> {
        let brokers = self.environment.brokers.clone();
        let reading = tokio::task::spawn_blocking(move || {
            let mut all: Vec<Record> = Vec::new();
            archive::read(&brokers, &listener::topics(), |record| all.push(record)).map(|()| all)
        });
        // The broker may be away just now.
        let Ok(all) = reading.await? else {
            return Ok(async { Ok(Ended::LeftOut("Kafka does not answer".to_owned())) }.boxed());
        };
        let records: Vec<Record> =
            all.into_iter().filter(names_itself).sample(&mut self.random, how_many).into_iter().collect();
        self.publish(records).await
    }

    pub(super) async fn bad_requests(&mut self, how_many: usize) -> anyhow::Result<Ending> {
        let records = (0..how_many).map(|_| bad_requests::draw(&mut self.random)).collect();
        self.publish(records).await
    }

    pub(super) async fn hostile_records(&mut self, how_many: usize) -> anyhow::Result<Ending> {
        let said = hostile::recently_said(&Databases::of(&self.environment)?).await.unwrap_or_default();
        let records: Vec<Record> = (0..how_many).map(|_| hostile::draw(&mut self.random, &said)).collect();
        self.forgeries.extend(records.iter().filter_map(hostile::forgery));
        self.publish(records).await
    }

    /// A broker may refuse some, such as those that are too large for their topic, or be away.
    async fn publish(&mut self, records: Vec<Record>) -> anyhow::Result<Ending> {
        let all = records.len();
        let sender = self.records.clone();
        // All at once: a broker that is away costs one time-out, not one for each.
        let sent = join_all(records.iter().map(|record| sender.publish(record))).await;
        let refused = sent.iter().filter(|sent| sent.is_err()).count();
        if refused > 0 {
            self.diary.note(format!("  {refused} of them were refused by the broker"));
        }
        let ended =
            if refused < all { Ended::now() } else { Ended::LeftOut("the broker took none of them".to_owned()) };
        Ok(async { Ok(ended) }.boxed())
    }
}

/// Events have their ids, and so have requests with an envelope: again they are the same. A bare request that names no
/// order is another one each time, and a dead letter is nobody's.
fn names_itself(record: &Record) -> bool {
    record.headers.iter().any(|(name, _)| name == "ce_id") && !record.topic.ends_with("-dlt")
}

async fn settings(admin: &AdminClient<DefaultClientContext>) -> anyhow::Result<TopicSettings> {
    let topics = listener::topics();
    let resources: Vec<ResourceSpecifier<'_>> = topics.iter().map(|topic| ResourceSpecifier::Topic(topic)).collect();
    let described = admin.describe_configs(&resources, &options()).await?;
    let mut settings = TopicSettings::new();
    for (topic, described) in topics.iter().zip(described) {
        let described = described.map_err(|code| anyhow::anyhow!("{topic}: {code}"))?;
        let own = described.entries.into_iter().filter(|entry| entry.source == ConfigSource::DynamicTopic);
        let own = own.filter_map(|entry| Some((entry.name, entry.value?)));
        // Another fault of this kind may be going on: what it has set is nothing to go back to.
        let kept = own.filter(|(name, value)| (name.as_str(), value.as_str()) != REJECT_WRITES);
        settings.insert(topic.clone(), kept.collect());
    }
    Ok(settings)
}

/// Gives each topic its own settings, and perhaps one more: what is not named falls back to the broker's.
async fn alter(
    admin: &AdminClient<DefaultClientContext>,
    settings: &TopicSettings,
    more: Option<(&str, &str)>,
) -> anyhow::Result<()> {
    let altered = settings.iter().map(|(topic, own)| {
        let alter = AlterConfig::new(ResourceSpecifier::Topic(topic));
        let own = own.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let kept = own.filter(|(name, _)| more.is_none_or(|(other, _)| other != *name));
        kept.chain(more).fold(alter, |alter, (name, value)| alter.set(name, value))
    });
    let altered: Vec<AlterConfig<'_>> = altered.collect();
    for result in admin.alter_configs(&altered, &options()).await? {
        result.map_err(|(resource, code)| anyhow::anyhow!("{resource:?}: {code}"))?;
    }
    Ok(())
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(Duration::from_secs(10)))
}
