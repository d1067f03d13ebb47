//! Publishes dead letters, and postpones those that cannot be published.

use std::{sync::atomic::Ordering, time::Duration};

use futures::future::join_all;
use outbox::kafka::Cluster;
use process::crash;
use rdkafka::{
    error::{KafkaError, KafkaResult, RDKafkaErrorCode},
    producer::FutureProducer,
};

use super::{
    DeadLetters,
    letter::Form,
    store::{self, Due},
};
use crate::{health::Progress, sessions::Sessions, shutdown::Shutdown};

/// Poll interval, for letters of instances that died and for postponed ones.
const LOOK: Duration = Duration::from_secs(1);
/// Number of letters claimed at once; bounds the values in memory.
const BATCH: i64 = 16;
/// Lease of a claim: longer than the client tries to deliver a message.
const LEASE: Duration = Duration::from_secs(20);
/// Maximum duration of a healthy round: a letter is sent in up to three forms.
pub(crate) const ROUND: Duration = Duration::from_secs(30);
/// Time for which the client tries to deliver a message, in milliseconds.
const DELIVERY_MS: &str = "10000";
/// Maximum delay between two tries.
const LONGEST_DELAY: Duration = Duration::from_secs(30);
/// Total bytes of waiting values above which those of new letters are not stored.
const MAX_WAITING_BYTES: i64 = 256 * 1024 * 1024;

/// Publishes letters for the consumer group `group` until shutdown. Unpublished ones stay in the table.
pub(crate) async fn run(
    sessions: Sessions,
    letters: DeadLetters,
    cluster: Cluster,
    group: &'static str,
    progress: Progress,
    shutdown: Shutdown,
) {
    let mut publisher = Publisher { sessions, cluster, producer: None, group };
    loop {
        let step = tokio::select! {
            step = publisher.step() => step,
            () = shutdown.requested() => return,
        };
        match step {
            Ok(published) => {
                progress.round();
                if published == BATCH {
                    continue;
                }
            }
            Err(error) => {
                tracing::warn!(%error, "dead letters cannot be published; retrying");
                progress.waiting(format!("dead letters cannot be published: {error}"));
            }
        }
        let sessions = &publisher.sessions;
        if let Ok((count, bytes)) = sessions.bounded(store::waiting(sessions.pool())).await {
            metrics::gauge!("dead_letters_waiting", "service" => group).set(count as f64);
            letters.full.store(bytes > MAX_WAITING_BYTES, Ordering::Relaxed);
        }
        tokio::select! {
            () = letters.woken.notified() => {}
            () = tokio::time::sleep(LOOK) => {}
            () = shutdown.requested() => return,
        }
    }
}

struct Publisher {
    sessions: Sessions,
    cluster: Cluster,
    /// Created for the first letter: a producer costs a polling thread, and most programs never need it. With the version of the
    /// certificates that it was created with.
    producer: Option<(u64, FutureProducer)>,
    group: &'static str,
}

impl Publisher {
    /// Publishes due letters; returns their number.
    async fn step(&mut self) -> anyhow::Result<i64> {
        let sessions = self.sessions.clone();
        let due = sessions.bounded(store::claim(sessions.pool(), BATCH, LEASE)).await?;
        if due.is_empty() {
            return Ok(0);
        }
        let producer = self.producer()?;
        let sent = join_all(due.iter().map(|due| send(&producer, due, &self.cluster, self.group))).await;
        let out: Vec<i64> = due.iter().zip(&sent).filter(|(_, sent)| sent.is_ok()).map(|(due, _)| due.id).collect();
        crash::point("letters.published");
        sessions.bounded(store::delete(sessions.pool(), &out)).await?;
        let is_late = |error: &KafkaError| error.rdkafka_error_code() == Some(RDKafkaErrorCode::MessageTimedOut);
        if out.is_empty() && sent.iter().any(|sent| sent.as_ref().is_err_and(is_late)) {
            // The client may have lost Kafka for good, as a consumer's can.
            self.producer = None;
            tokio::task::spawn_blocking(move || drop(producer));
        }
        for (due, sent) in due.iter().zip(sent) {
            let record = &due.letter.record;
            match sent {
                Ok(form) => {
                    tracing::warn!(
                        topic = record.topic,
                        partition = record.partition,
                        offset = record.offset,
                        ?form,
                        why = due.letter.why,
                        "dead letter published"
                    );
                    metrics::counter!("dead_letters_total", "topic" => record.topic.clone()).increment(1);
                }
                Err(error) => {
                    let delay = Duration::from_secs(1 << due.tries.clamp(0, 6)).min(LONGEST_DELAY);
                    tracing::error!(
                        %error, topic = record.topic, partition = record.partition, offset = record.offset, tries = due.tries,
                        retry_in_s = delay.as_secs(), "a dead letter cannot be published; it stays in the table dead_letters and is retried"
                    );
                    let why = error.to_string();
                    sessions.bounded(store::postpone(sessions.pool(), due.id, delay, &why)).await?;
                }
            }
        }
        Ok(due.len() as i64)
    }

    fn producer(&mut self) -> KafkaResult<FutureProducer> {
        let version = self.cluster.transport.version();
        if let Some((made_with, producer)) = &self.producer
            && *made_with == version
        {
            return Ok(producer.clone());
        }
        let mut client = self.cluster.producer(self.group);
        // Not idempotent: letters have no order, duplicates do no harm, and an idempotent producer can fail for good.
        client.set("enable.idempotence", "false").set("message.timeout.ms", DELIVERY_MS);
        let producer: FutureProducer = client.create()?;
        self.producer = Some((version, producer.clone()));
        Ok(producer)
    }
}

/// Publishes a letter in the most complete form that the broker accepts.
async fn send(producer: &FutureProducer, due: &Due, cluster: &Cluster, group: &str) -> Result<Form, KafkaError> {
    let (topic, group) = (cluster.topic(&due.letter.topic()), cluster.group(group));
    let of = cluster.topic(&due.letter.record.topic);
    let mut form = due.letter.first_form();
    loop {
        let publication = due.letter.publication(&topic, form, &of, &group);
        match producer.send(publication, Duration::from_secs(5)).await {
            Ok(_) => return Ok(form),
            Err((error, _)) => form = form.smaller(&error).ok_or(error)?,
        }
    }
}
