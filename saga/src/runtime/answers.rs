//! Queries to Kafka's brokers, and whether they are answered at all.

use std::{
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig, ClientContext,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer as _, ConsumerContext},
    error::{KafkaError, KafkaResult, RDKafkaErrorCode},
    metadata::Metadata,
};

/// Bound for a query. A consumer that queries with its own client consumes nothing meanwhile.
pub(crate) const ASK_WITHIN: Duration = Duration::from_secs(2);

/// What the broker reports about some topics.
pub(crate) struct Answers {
    pub(crate) missing: Vec<String>,
    pub(crate) all_readable: bool,
}

impl Answers {
    /// Queries one topic after the other; after the first query without an answer, asks about none of the rest.
    pub(crate) fn to(kafka: &BaseConsumer<impl ConsumerContext>, topics: &[&str]) -> Self {
        let mut answers = Answers { missing: Vec::new(), all_readable: true };
        for topic in topics {
            let Ok(metadata) = kafka.fetch_metadata(Some(topic), ASK_WITHIN) else {
                answers.all_readable = false;
                break;
            };
            answers.all_readable &= is_readable(&metadata);
            let errors = metadata.topics().iter().filter_map(|topic| topic.error()).map(RDKafkaErrorCode::from);
            let unknown = [RDKafkaErrorCode::UnknownTopicOrPartition, RDKafkaErrorCode::UnknownTopic];
            if errors.into_iter().any(|error| unknown.contains(&error)) {
                answers.missing.push((*topic).to_owned());
            }
        }
        answers
    }
}

/// Returns those topics that the broker does not have.
pub(crate) fn missing(kafka: &BaseConsumer<impl ConsumerContext>, topics: &[&str]) -> Vec<String> {
    Answers::to(kafka, topics).missing
}

/// Returns whether all requested topics can be read.
pub(crate) fn is_readable(metadata: &Metadata) -> bool {
    metadata.topics().iter().all(|topic| topic.error().is_none() && !topic.partitions().is_empty())
}

/// A query from a second client, which shows whether a client without answers is the only one. It runs on a thread of its
/// own, because creating and closing a client may take longer than the query.
#[derive(Debug, Default)]
pub(crate) struct Probe {
    asking: Option<(JoinHandle<bool>, Instant)>,
    answered: bool,
}

/// A query that takes longer counts as unanswered.
const PROBED_WITHIN: Duration = Duration::from_secs(5);

impl Probe {
    /// Returns whether the last query was answered, and starts the next one if none is in progress.
    pub(crate) fn is_answered(&mut self, settings: &ClientConfig, topic: &str) -> bool {
        if let Some((asked, _)) = self.asking.take_if(|(asking, _)| asking.is_finished()) {
            self.answered = asked.join().unwrap_or(false);
        }
        if self.asking.is_none() {
            let (settings, topic) = (settings.clone(), topic.to_owned());
            let asking = thread::Builder::new().name("kafka-probe".to_owned());
            let asking = asking.spawn(move || is_answered(&settings, &topic)).ok();
            self.asking = asking.map(|asking| (asking, Instant::now()));
        }
        self.answered && self.asking.as_ref().is_some_and(|(_, since)| since.elapsed() < PROBED_WITHIN)
    }
}

fn is_answered(settings: &ClientConfig, topic: &str) -> bool {
    let another: KafkaResult<BaseConsumer<Silent>> = settings.create_with_context(Silent);
    another.is_ok_and(|another| another.fetch_metadata(Some(topic), ASK_WITHIN).is_ok())
}

/// Context that logs nothing: the first client has already reported everything.
struct Silent;

impl ClientContext for Silent {
    fn log(&self, _level: RDKafkaLogLevel, _facility: &str, _message: &str) {}

    fn error(&self, _error: KafkaError, _reason: &str) {}
}

impl ConsumerContext for Silent {}
