//! Membership of the consumer group: assigned partitions, and the reasons why nothing can be read.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig, ClientContext,
    consumer::{BaseConsumer, Consumer as _, ConsumerContext, Rebalance},
    error::KafkaError,
    topic_partition_list::TopicPartitionList,
    types::RDKafkaErrorCode,
};

use crate::runtime::answers::{ASK_WITHIN, Answers, Probe};

/// Minimum interval between logged Kafka errors.
const TELL_EVERY: Duration = Duration::from_secs(10);
/// Interval between checks for a missing topic.
const ASK_EVERY: Duration = Duration::from_secs(2);
/// Time within which a client that gets no answers, although others do, recovers by itself or never.
const DEAF_WITHIN: Duration = Duration::from_secs(8);

/// Reason to replace a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InVain {
    /// Kafka answers, but not the request to join the group.
    Unheard,
    /// Kafka answers other clients, but not this one.
    Unanswered,
}

/// Context of the consumer's client: receives assignments and errors.
#[derive(Debug, Default)]
pub(crate) struct Membership(Mutex<State>);

#[derive(Debug)]
struct State {
    /// Number of assigned partitions; `None` before the first assignment and after a revocation of all. A spare replica
    /// has an assignment of zero partitions.
    assigned: Option<usize>,
    /// Without an assignment: when the broker was last probed, and since when it has answered.
    asked: Instant,
    answering_since: Option<Instant>,
    /// Probes whether other clients are answered while this one is not.
    probe: Probe,
    deaf_since: Option<Instant>,
    /// Error reported for a topic, and when its topics were last checked.
    unreadable: Option<(String, Instant)>,
    /// Topics that were missing. When they are back they have been recreated, and old positions mean nothing.
    vanished: HashSet<String>,
    /// Assigned partitions whose starting offsets are unknown. They are paused, and records that arrive anyway are
    /// discarded.
    pending: HashSet<(String, i32)>,
    /// Reason why a pending partition's latest start failed.
    refused: Option<String>,
    /// Revoked partitions that have not been reported yet.
    revoked: Vec<(String, i32)>,
    /// The group's coordinator was unreachable for longer than the session timeout: partitions are lost until the client
    /// rejoins.
    lost: bool,
    /// When Kafka trouble was last logged.
    told: Option<Instant>,
}

impl Default for State {
    fn default() -> Self {
        State {
            assigned: None,
            asked: Instant::now(),
            answering_since: None,
            probe: Probe::default(),
            deaf_since: None,
            unreadable: None,
            vanished: HashSet::new(),
            pending: HashSet::new(),
            refused: None,
            revoked: Vec::new(),
            lost: false,
            told: None,
        }
    }
}

impl Membership {
    /// Context for a client that replaces another; keeps what the former one knew of the topics.
    pub(crate) fn succeeding(former: &Self) -> Self {
        let vanished = former.lock().vanished.clone();
        Membership(Mutex::new(State { vanished, ..State::default() }))
    }

    /// Reason why nothing can be read now.
    pub(crate) fn hindrance(&self) -> Option<String> {
        let state = self.lock();
        match (&state.unreadable, state.assigned) {
            (Some((why, _)), _) => Some(why.clone()),
            (None, None) => Some("no partitions are assigned".to_owned()),
            (None, Some(_)) if !state.pending.is_empty() => {
                let count = state.pending.len();
                let why = state.refused.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
                Some(format!("the starting offsets of {count} of the partitions are not known yet{why}"))
            }
            (None, Some(_)) => None,
        }
    }

    /// Notes why partitions are still pending, as far as it is known.
    pub(crate) fn refused(&self, why: Option<String>) {
        self.lock().refused = why;
    }

    /// Holds back some partitions until [`begun`](Self::begun).
    pub(crate) fn pend(&self, kafka: &BaseConsumer<Self>, partitions: &TopicPartitionList) {
        self.lock().pending.extend(places(partitions));
        if let Err(error) = kafka.pause(partitions) {
            tracing::debug!(%error, "partitions not paused; records that arrive meanwhile are read again");
        }
    }

    /// Partitions whose starting offsets are unknown.
    pub(crate) fn pending(&self) -> TopicPartitionList {
        let mut all = TopicPartitionList::new();
        for (topic, partition) in &self.lock().pending {
            all.add_partition(topic, *partition);
        }
        all
    }

    pub(crate) fn is_pending(&self, topic: &str, partition: i32) -> bool {
        let state = self.lock();
        // Usually none are pending; then nothing is copied.
        !state.pending.is_empty() && state.pending.contains(&(topic.to_owned(), partition))
    }

    /// Marks the partitions in `begun` as reading from their starting offsets. The others of `all`, which were resumed,
    /// are paused again.
    pub(crate) fn begun(&self, kafka: &BaseConsumer<Self>, all: &TopicPartitionList, begun: &[(String, i32)]) {
        let mut waiting = TopicPartitionList::new();
        for (topic, partition) in places(all).filter(|place| !begun.contains(place)) {
            waiting.add_partition(&topic, partition);
        }
        if let Err(error) = kafka.pause(&waiting) {
            tracing::debug!(%error, "partitions not paused; records that arrive meanwhile are discarded");
        }
        let mut state = self.lock();
        begun.iter().for_each(|place| drop(state.pending.take(place)));
    }

    /// Partitions revoked since the last call. Some may have been assigned again meanwhile.
    pub(crate) fn take_revoked(&self) -> Vec<(String, i32)> {
        std::mem::take(&mut self.lock().revoked)
    }

    /// Returns true while the client is rejoining the group after a lost session. If it is fenced then, it has fenced itself: a
    /// static member returns under a new member id, and a pending commit under the old one is refused.
    pub(crate) fn is_between_sessions(&self) -> bool {
        self.lock().lost
    }

    /// Records an error from a poll. `missing` returns the topics that do not exist.
    pub(crate) fn failed(&self, error: KafkaError, missing: impl FnOnce() -> Vec<String>) {
        if let KafkaError::MessageConsumption(
            code @ (RDKafkaErrorCode::UnknownTopicOrPartition
            | RDKafkaErrorCode::UnknownTopic
            | RDKafkaErrorCode::UnknownPartition
            | RDKafkaErrorCode::TopicAuthorizationFailed
            | RDKafkaErrorCode::GroupAuthorizationFailed),
        ) = error
        {
            let why = format!("a topic cannot be read: {code}");
            // The error repeats while it lasts and a little longer; repeats neither trigger nor delay a check.
            if self.lock().unreadable.is_some() {
                return;
            }
            tracing::error!(error = %code, "a topic cannot be read; waiting until it exists and is readable again");
            // Checked before the error is reported, so that a topic recreated in response is recreated after this check.
            let missing = missing();
            let mut state = self.lock();
            state.vanished.extend(missing);
            state.unreadable = Some((why, Instant::now()));
        } else {
            self.error(error, "poll");
        }
    }

    /// Checks at intervals whether unreadable topics can be read again; returns true once they can. The client then has
    /// to rejoin the group: partitions that it did not find are assigned to nobody until the next rebalance.
    pub(crate) fn can_read_again(&self, kafka: &BaseConsumer<Self>, topics: &[&str]) -> bool {
        match &mut self.lock().unreadable {
            Some((_, asked)) if asked.elapsed() >= ASK_EVERY => *asked = Instant::now(),
            _ => return false,
        }
        let answers = Answers::to(kafka, topics);
        let mut state = self.lock();
        state.vanished.extend(answers.missing);
        if !answers.all_readable {
            return false;
        }
        tracing::info!("every topic can be read again; resuming");
        state.unreadable = None;
        true
    }

    /// Reason to replace this client: Kafka has answered for a while, and the client is still in no group.
    ///
    /// - `Unheard`: the request to join, or its response, was lost. The client keeps waiting on a dead connection for
    ///   `max.poll.interval.ms`. Diagnosed after `patience`, because a cluster that has just come back needs a moment.
    /// - `Unanswered`: the client sends no requests any more, because a cluster whose controller took all brokers for
    ///   dead told it of no brokers ([librdkafka 5301]). Another client with the same `settings` gets answers.
    ///
    /// [librdkafka 5301]: https://github.com/confluentinc/librdkafka/issues/5301
    pub(crate) fn is_in_vain(
        &self,
        kafka: &BaseConsumer<Self>,
        topics: &[&str],
        settings: &ClientConfig,
        patience: Duration,
    ) -> Option<InVain> {
        {
            let mut state = self.lock();
            if state.assigned.is_some() || state.unreadable.is_some() {
                (state.answering_since, state.deaf_since, state.probe) = (None, None, Probe::default());
                return None;
            }
            if state.asked.elapsed() < ASK_EVERY {
                return None;
            }
        }
        let topic = topics.first()?;
        // Any answer will do.
        let answers = kafka.fetch_metadata(Some(topic), ASK_WITHIN).is_ok();
        let mut state = self.lock();
        if answers {
            state.probe = Probe::default();
        }
        let answers_others = answers || state.probe.is_answered(settings, topic);
        state.asked = Instant::now();
        let since = |before: Option<Instant>| Some(before.unwrap_or_else(Instant::now));
        state.answering_since = if answers_others { since(state.answering_since) } else { None };
        state.deaf_since = if answers_others && !answers { since(state.deaf_since) } else { None };
        let for_long = |since: Option<Instant>, patience| since.is_some_and(|since| since.elapsed() >= patience);
        let is_deaf = for_long(state.deaf_since, DEAF_WITHIN).then_some(InVain::Unanswered);
        is_deaf.or(for_long(state.answering_since, patience).then_some(InVain::Unheard))
    }

    /// Topics that have been recreated, to be read from their beginning.
    pub(crate) fn made_anew(&self) -> HashSet<String> {
        let state = self.lock();
        if state.unreadable.is_some() { HashSet::new() } else { state.vanished.clone() }
    }

    /// Notes that these topics are read from their beginning.
    pub(crate) fn begun_anew(&self, topics: &HashSet<String>) {
        self.lock().vanished.retain(|topic| !topics.contains(topic));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn places(partitions: &TopicPartitionList) -> impl Iterator<Item = (String, i32)> {
    let elements = partitions.elements();
    elements
        .into_iter()
        .map(|element| (element.topic().to_owned(), element.partition()))
        .collect::<Vec<_>>()
        .into_iter()
}

/// A fatal error, after which the client reads nothing any more, with advice.
pub(crate) fn fatal(code: RDKafkaErrorCode, reason: &str) -> anyhow::Error {
    let advice = match code {
        RDKafkaErrorCode::FencedInstanceId => {
            ": another process has joined with the same KAFKA_INSTANCE_ID; give each process one of its own"
        }
        _ => "; restart the program",
    };
    anyhow::anyhow!("this consumer can never read from Kafka again ({code}, {reason}){advice}")
}

impl ClientContext for Membership {
    /// While Kafka is unreachable the client reports it many times a second; log it only now and then.
    fn error(&self, error: KafkaError, reason: &str) {
        let mut state = self.lock();
        if state.told.is_none_or(|told| told.elapsed() >= TELL_EVERY) {
            tracing::warn!(%error, reason, "Kafka client error");
            state.told = Some(Instant::now());
        }
    }
}

impl ConsumerContext for Membership {
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if matches!(rebalance, Rebalance::Revoke(_)) && consumer.assignment_lost() {
            self.lock().lost = true;
        }
    }

    fn post_rebalance(&self, kafka: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Assign(partitions) = rebalance {
            self.pend(kafka, partitions);
        }
        let mut state = self.lock();
        match rebalance {
            Rebalance::Assign(partitions) => {
                tracing::info!(partitions = partitions.count(), "partitions assigned");
                state.assigned = Some(state.assigned.unwrap_or(0) + partitions.count());
                state.lost = false;
            }
            Rebalance::Revoke(partitions) => {
                tracing::info!(partitions = partitions.count(), "partitions revoked");
                places(partitions).for_each(|place| {
                    state.pending.remove(&place);
                    state.revoked.push(place);
                });
                state.assigned =
                    state.assigned.and_then(|had| had.checked_sub(partitions.count())).filter(|left| *left > 0);
            }
            Rebalance::Error(error) => tracing::warn!(%error, "consumer group rebalance failed"),
        }
    }
}

#[cfg(test)]
mod tests;
