//! Removes records that are handled from the topic of requests.

use anyhow::{Context, bail};
use events::publisher;
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions},
    client::DefaultClientContext,
};

use crate::{Environment, archive, audit::Groups, databases::Databases};

/// Removes the requests that the order service has handled, of all users: a part of a partition cannot be removed otherwise.
/// Returns their number.
pub(super) async fn remove_handled_requests(environment: &Environment, databases: &Databases) -> anyhow::Result<i64> {
    let topic = publisher::CLIENT.topic();
    let places = Groups::of_the_shop(&environment.brokers)?.places(databases).await?;
    let brokers = environment.brokers.clone();
    let kept = tokio::task::spawn_blocking(move || archive::kept(&brokers, &[topic.to_owned()])).await??;
    let (mut before, mut count) = (TopicPartitionList::new(), 0);
    let real = environment.brokers.topic(topic);
    for place in places.0.iter().filter(|place| place.topic == topic && place.service == publisher::ORDER) {
        let Some(range) = kept.get(&(topic.to_owned(), place.partition)).filter(|range| place.done > range.start)
        else {
            continue;
        };
        before.add_partition_offset(real.real(), place.partition, Offset::Offset(place.done))?;
        count += place.done - range.start;
    }
    if count == 0 {
        return Ok(0);
    }
    let client: ClientConfig = environment.brokers.client("scenarios");
    let client: AdminClient<DefaultClientContext> = client.create().context("creating a Kafka client")?;
    let removed = client.delete_records(&before, &AdminOptions::new()).await;
    let removed = removed.with_context(|| format!("removing handled requests from {topic}"))?;
    for partition in removed.elements() {
        if let Err(error) = partition.error() {
            bail!("removing handled requests from {topic}/{}: {error}", partition.partition());
        }
    }
    Ok(count)
}
