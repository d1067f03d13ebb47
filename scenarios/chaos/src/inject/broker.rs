//! Faults of the broker, and unwanted records.

use std::{collections::HashMap, time::Duration};

use anyhow::{Context, bail};
use futures::{FutureExt, future::join_all};
use operations::{archive, databases::Databases, listener};
use rand::seq::IteratorRandom;
use rdkafka::{
    admin::{AdminClient, AdminOptions, AlterConfig, ConfigSource, ResourceSpecifier},
    client::DefaultClientContext,
};
use saga::{
    outbox::{RealName, kafka::Cluster},
    record::Record,
};
use testbed::Started;
use tokio::time::sleep;

use super::{Ended, Ending, Injector, NOT_OURS};
use crate::{bad_requests, hostile};

/// A setting that makes the broker reject every write to topics with one replica.
const REJECT_WRITES: (&str, &str) = ("min.insync.replicas", "2");

/// The settings with which a topic was created.
type TopicSettings = HashMap<RealName, Vec<(String, String)>>;

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

    /// With a minimum of in-sync replicas above their number, every write fails with NOT_ENOUGH_REPLICAS.
    pub(super) fn reject_writes(&self, time: Duration) -> Ending {
        let (brokers, diary) = (self.environment.brokers.clone(), self.diary.clone());
        async move {
            let admin: AdminClient<DefaultClientContext> = brokers
                .client("scenarios")
                .set("reconnect.backoff.max.ms", "500")
                .create()
                .context("creating the Kafka client")?;
            let Ok(before) = settings(&admin, &brokers).await else {
                return Ok(Ended::LeftOut("the broker does not tell its topics' settings".to_owned()));
            };
            // After a partial failure, the changes are still undone below.
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
            undone.context("restoring the topics' settings so that the broker accepts writes")?;
            diary.note("  Kafka accepts writes again");
            Ok(match rejected {
                Ok(()) => Ended::now(),
                Err(error) => Ended::LeftOut(format!("{error:#}")),
            })
        }
        .boxed()
    }

    /// Republishes arbitrary records of all topics unchanged: events keep their ids, and requests name their orders.
    pub(super) async fn repeat(&mut self, how_many: usize) -> anyhow::Result<Ending> {
        let brokers = self.environment.brokers.clone();
        let reading = tokio::task::spawn_blocking(move || {
            let mut all: Vec<Record> = Vec::new();
            archive::read(&brokers, &listener::topics(), |record| all.push(record)).map(|()| all)
        });
        // The broker may be down at the moment.
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

    /// The broker may refuse some records, such as those that are too large for their topic, or be down.
    async fn publish(&mut self, records: Vec<Record>) -> anyhow::Result<Ending> {
        let all = records.len();
        let sender = self.records.clone();
        // All at once: an unavailable broker then costs one timeout instead of one per record.
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

/// Tells whether a repetition of the record has the same id. Events and requests with an envelope have ids; a bare request
/// without an order id becomes another order each time, and a dead letter belongs to no order.
fn names_itself(record: &Record) -> bool {
    record.headers.iter().any(|(name, _)| name == "ce_id") && !record.topic.ends_with("-dlt")
}

async fn settings(admin: &AdminClient<DefaultClientContext>, brokers: &Cluster) -> anyhow::Result<TopicSettings> {
    let topics: Vec<RealName> = listener::topics().iter().map(|topic| brokers.topic(topic)).collect();
    let resources: Vec<ResourceSpecifier<'_>> =
        topics.iter().map(|topic| ResourceSpecifier::Topic(topic.real())).collect();
    let described = admin.describe_configs(&resources, &options()).await?;
    let mut settings = TopicSettings::new();
    for (topic, described) in topics.iter().zip(described) {
        let described = described.map_err(|code| anyhow::anyhow!("{topic}: {code}"))?;
        let own = described.entries.into_iter().filter(|entry| entry.source == ConfigSource::DynamicTopic);
        let own = own.filter_map(|entry| Some((entry.name, entry.value?)));
        // Another fault of this kind may be active: its setting must not be restored later.
        let kept = own.filter(|(name, value)| (name.as_str(), value.as_str()) != REJECT_WRITES);
        settings.insert(topic.clone(), kept.collect());
    }
    Ok(settings)
}

/// Gives each topic its own settings, optionally with one more: those not named revert to the broker's defaults.
async fn alter(
    admin: &AdminClient<DefaultClientContext>,
    settings: &TopicSettings,
    more: Option<(&str, &str)>,
) -> anyhow::Result<()> {
    let altered = settings.iter().map(|(topic, own)| {
        let alter = AlterConfig::new(ResourceSpecifier::Topic(topic.real()));
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
