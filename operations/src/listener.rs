//! Listens to all topics without a consumer group: takes no partition from another consumer and moves no offset.

use saga::outbox::{Prefix, kafka::Cluster};
use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use anyhow::Context;
use events::{
    OrderId,
    publisher::{self, dead_letter_topic, is_topic_of_events},
};
use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
};
use saga::record::Record;
use tokio::sync::watch;

use crate::{archive, heard::Heard};

/// Start of listening.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// Everything that the topics retain.
    Beginning,
    /// Only what arrives from now on.
    Now,
}

/// Records observed so far.
#[derive(Debug, Default)]
struct Tape {
    orders: HashMap<OrderId, Vec<Heard>>,
    dead_letters: Vec<Record>,
}

/// Records everything that is published; stops when dropped.
#[derive(Debug)]
pub struct Listener {
    topics: BTreeSet<String>,
    tape: Arc<Mutex<Tape>>,
    changes: watch::Receiver<u64>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// The topics of all publishers, and the dead letters of requests.
pub fn topics() -> Vec<String> {
    let mut topics: Vec<String> = publisher::all().map(|publisher| publisher.topic().to_owned()).collect();
    topics.push(dead_letter_topic(publisher::CLIENT.topic()));
    topics
}

/// The readable topics of every other service on the broker: any topic `<name>.events`. An unreadable topic of another program
/// does not hide the shop's. Blocking; run on a thread of its own.
///
/// # Errors
/// If the broker does not answer.
pub fn further_topics(brokers: &Cluster) -> anyhow::Result<Vec<String>> {
    let own = topics();
    let there = archive::readable_topics(brokers)?.into_iter();
    Ok(there.filter(|topic| is_topic_of_events(topic) && !own.contains(topic)).collect())
}

impl Listener {
    /// Starts listening to the shop. Misses nothing that is published after this returns.
    ///
    /// # Errors
    /// If the broker does not answer.
    pub async fn start(brokers: &Cluster, since: Since) -> anyhow::Result<Self> {
        Self::start_on(brokers, topics(), since).await
    }

    /// Starts listening to these topics. Misses nothing that is published after this returns.
    ///
    /// # Errors
    /// If the broker does not answer.
    pub async fn start_on(brokers: &Cluster, topics: Vec<String>, since: Since) -> anyhow::Result<Self> {
        let (brokers, prefix) = (brokers.to_owned(), brokers.prefix().clone());
        let (consumer, _) = tokio::task::spawn_blocking(move || assigned(&brokers, &topics, since)).await??;
        let topics = consumer.assignment().context("reading the assignment")?;
        let elements = topics.elements();
        let topics = elements.iter().filter_map(|element| prefix.name_of(element.topic())).map(str::to_owned).collect();
        let tape = Arc::new(Mutex::new(Tape::default()));
        let stop = Arc::new(AtomicBool::new(false));
        let (changed, changes) = watch::channel(0);
        let thread = std::thread::Builder::new()
            .name("listener".into())
            .spawn({
                let (tape, stop) = (tape.clone(), stop.clone());
                move || listen(&consumer, &prefix, &tape, &changed, &stop)
            })
            .context("starting the listener thread")?;
        Ok(Listener { topics, tape, changes, stop, thread: Some(thread) })
    }

    /// The topics that it listens to: of those that it was given, the ones that the broker knew.
    pub fn topics(&self) -> &BTreeSet<String> {
        &self.topics
    }

    /// Events of an order observed so far, in order of publication.
    pub fn of(&self, order: OrderId) -> Vec<Heard> {
        let mut heard = lock(&self.tape).orders.get(&order).cloned().unwrap_or_default();
        heard.sort_by(|a, b| (a.at, &a.topic, a.offset).cmp(&(b.at, &b.topic, b.offset)));
        heard
    }

    /// Unreadable requests, as records of the dead-letter topic.
    pub fn dead_letters(&self) -> Vec<Record> {
        lock(&self.tape).dead_letters.clone()
    }

    /// Waits until `enough` has been observed; false if `bound` passes first.
    pub async fn wait(&self, bound: Duration, mut enough: impl FnMut(&Self) -> bool) -> bool {
        let mut changes = self.changes.clone();
        let waiting = async {
            loop {
                changes.mark_unchanged();
                if enough(self) || changes.changed().await.is_err() {
                    return;
                }
            }
        };
        let _ = tokio::time::timeout(bound, waiting).await;
        enough(self)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // The thread checks `stop` several times a second. A panic in it was reported when it happened.
            let _ = thread.join();
        }
    }
}

fn listen(
    consumer: &BaseConsumer,
    prefix: &Prefix,
    tape: &Mutex<Tape>,
    changed: &watch::Sender<u64>,
    stop: &AtomicBool,
) {
    while !stop.load(Ordering::Relaxed) {
        match consumer.poll(Duration::from_millis(100)) {
            None => {}
            Some(Err(error)) => tracing::debug!(%error, "listening to Kafka failed; retrying"),
            Some(Ok(message)) => {
                let record = Record::read(&message, prefix);
                let mut tape = lock(tape);
                if record.topic.ends_with("-dlt") {
                    tape.dead_letters.push(record);
                } else if let Some(heard) = Heard::from_record(&record) {
                    tape.orders.entry(heard.order_id).or_default().push(heard);
                }
                drop(tape);
                changed.send_modify(|count| *count += 1);
            }
        }
    }
}

/// No writer leaves the tape half written, so its content is intact even after a panic elsewhere.
fn lock(tape: &Mutex<Tape>) -> MutexGuard<'_, Tape> {
    tape.lock().unwrap_or_else(PoisonError::into_inner)
}

/// End offset of each partition that is not empty, by topic and partition.
pub type Ends = HashMap<(String, i32), i64>;

/// A consumer assigned to all partitions of `topics`, and their current ends. Blocking.
pub fn assigned(brokers: &Cluster, topics: &[String], since: Since) -> anyhow::Result<(BaseConsumer, Ends)> {
    let consumer = archive::consumer(brokers)?;
    let kept =
        archive::kept_by(brokers, &consumer, topics).with_context(|| format!("reading offsets from {brokers}"))?;
    let mut assignment = TopicPartitionList::new();
    for ((topic, partition), offsets) in &kept {
        let from = match since {
            Since::Beginning => offsets.start,
            Since::Now => offsets.end,
        };
        assignment.add_partition_offset(brokers.topic(topic).real(), *partition, Offset::Offset(from))?;
    }
    consumer.assign(&assignment).context("assigning partitions")?;
    let ends = kept.into_iter().filter(|(_, offsets)| !offsets.is_empty());
    Ok((consumer, ends.map(|(place, offsets)| (place, offsets.end)).collect()))
}
