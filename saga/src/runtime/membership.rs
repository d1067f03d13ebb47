//! A consumer's membership of its group: its partitions, and what keeps it from reading.

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
/// Interval between questions for a topic that was missing.
const ASK_EVERY: Duration = Duration::from_secs(2);
/// A client that is not answered, although others are, comes back by itself within this, or never.
const DEAF_WITHIN: Duration = Duration::from_secs(8);

/// Why a client should give way to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InVain {
    /// Kafka answers, and nobody the question to join the group.
    Unheard,
    /// Kafka answers other clients, and not this one.
    Unanswered,
}

/// Hears of assignments and errors; the context of the consumer's client.
#[derive(Debug, Default)]
pub(crate) struct Membership(Mutex<State>);

#[derive(Debug)]
struct State {
    /// Partitions at present; none before the first assignment and after all of it was taken away. A spare replica has been
    /// assigned no partition, which is an assignment.
    assigned: Option<usize>,
    /// When the broker was last asked whether it is there, while there was no assignment, and since when it has answered.
    asked: Instant,
    answering_since: Option<Instant>,
    /// Asks for others while this client is not answered, and since when they are.
    probe: Probe,
    deaf_since: Option<Instant>,
    /// Error that a topic brought, and when its topics were last asked for.
    unreadable: Option<(String, Instant)>,
    /// Topics that were missing. Once they are back they are others, in which the positions of before mean nothing.
    vanished: HashSet<String>,
    /// Assigned partitions of which it is not known yet where to begin. They are paused, and what comes of them all the same
    /// is not looked at.
    pending: HashSet<(String, i32)>,
    /// Partitions that were taken away and not yet told of.
    revoked: Vec<(String, i32)>,
    /// The group's coordinator was away for longer than the session: the partitions are lost until the client joins again.
    lost: bool,
    /// Last time that trouble with Kafka was logged.
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
            revoked: Vec::new(),
            lost: false,
            told: None,
        }
    }
}

impl Membership {
    /// Of a client that takes the place of another: what that one knew of the topics goes on to be so.
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
            (None, Some(_)) if !state.pending.is_empty() => Some("not known yet where to begin reading".to_owned()),
            (None, Some(_)) => None,
        }
    }

    /// Has nothing read of some partitions until [`begun`](Self::begun).
    pub(crate) fn pend(&self, kafka: &BaseConsumer<Self>, partitions: &TopicPartitionList) {
        self.lock().pending.extend(places(partitions));
        if let Err(error) = kafka.pause(partitions) {
            tracing::debug!(%error, "not paused: what comes meanwhile is read again");
        }
    }

    /// Partitions of which it is not known yet where to begin.
    pub(crate) fn pending(&self) -> TopicPartitionList {
        let mut all = TopicPartitionList::new();
        for (topic, partition) in &self.lock().pending {
            all.add_partition(topic, *partition);
        }
        all
    }

    pub(crate) fn is_pending(&self, topic: &str, partition: i32) -> bool {
        let state = self.lock();
        // Nearly always none are, and then nothing is copied.
        !state.pending.is_empty() && state.pending.contains(&(topic.to_owned(), partition))
    }

    /// Of `all`, which have been resumed, those that have `begun` are read from where they have to be. The others wait again.
    pub(crate) fn begun(&self, kafka: &BaseConsumer<Self>, all: &TopicPartitionList, begun: &[(String, i32)]) {
        let mut waiting = TopicPartitionList::new();
        for (topic, partition) in places(all).filter(|place| !begun.contains(place)) {
            waiting.add_partition(&topic, partition);
        }
        if let Err(error) = kafka.pause(&waiting) {
            tracing::debug!(%error, "not paused: what comes meanwhile is left out");
        }
        let mut state = self.lock();
        begun.iter().for_each(|place| drop(state.pending.take(place)));
    }

    /// Partitions that were taken away since the last call. Some may have come back meanwhile.
    pub(crate) fn take_revoked(&self) -> Vec<(String, i32)> {
        std::mem::take(&mut self.lock().revoked)
    }

    /// The client has lost its session and is on its way back into the group. If it is fenced then, by nobody else than itself:
    /// a static member comes back under a new number, and a commit of its offsets that waited under the old one is refused.
    pub(crate) fn is_between_sessions(&self) -> bool {
        self.lock().lost
    }

    /// Takes note of an error that a poll has brought. `missing` asks which topics there are not.
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
            // Errors come for as long as it lasts, and some later; they neither ask again nor put off the next question.
            if self.lock().unreadable.is_some() {
                return;
            }
            tracing::error!(error = %code, "a topic cannot be read; waiting until it is there again and may be read");
            // Asked before anybody hears of it: who then makes the topic anew does so after this.
            let missing = missing();
            let mut state = self.lock();
            state.vanished.extend(missing);
            state.unreadable = Some((why, Instant::now()));
        } else {
            self.error(error, "poll");
        }
    }

    /// Asks, now and then, whether topics that could not be read can be read again: true once they can. The client has to join
    /// the group anew then: the partitions of what it did not find are nobody's until somebody notices.
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
        tracing::info!("every topic can be read again");
        state.unreadable = None;
        true
    }

    /// Why this client should give way to another, if it should: Kafka has answered for a while, and it is still in no group.
    ///
    /// - The group does not answer it: the question to join was lost on its way, or the answer to it, and it goes on waiting on
    ///   a connection on which nothing comes any more, for `max.poll.interval.ms`, whatever its other bounds are. That is so
    ///   after `patience`: where Kafka only just came back it needs a moment.
    /// - It asks nobody any more: it was told of topics and of no brokers, by a cluster whose controller took all of them for
    ///   dead, and has forgotten every address that it knew ([librdkafka 5301]). Another client, of the same `settings`, is
    ///   answered.
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
        // Any answer at all.
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

    /// Topics that are back after they were missing, to be read from their beginning.
    pub(crate) fn made_anew(&self) -> HashSet<String> {
        let state = self.lock();
        if state.unreadable.is_some() { HashSet::new() } else { state.vanished.clone() }
    }

    /// These topics are read from their beginning.
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

/// An error after which the client reads nothing any more, and what to do about it.
pub(crate) fn fatal(code: RDKafkaErrorCode, reason: &str) -> anyhow::Error {
    let advice = match code {
        RDKafkaErrorCode::FencedInstanceId => {
            ": another process has joined with the same KAFKA_INSTANCE_ID; give each process one of its own"
        }
        _ => "; start the program again",
    };
    anyhow::anyhow!("Kafka has shut this consumer out for good ({code}, {reason}){advice}")
}

impl ClientContext for Membership {
    /// While Kafka is away the client says so many times a second; once in a while is enough.
    fn error(&self, error: KafkaError, reason: &str) {
        let mut state = self.lock();
        if state.told.is_none_or(|told| told.elapsed() >= TELL_EVERY) {
            tracing::warn!(%error, reason, "Kafka");
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
                tracing::info!(partitions = partitions.count(), "assigned");
                state.assigned = Some(state.assigned.unwrap_or(0) + partitions.count());
                state.lost = false;
            }
            Rebalance::Revoke(partitions) => {
                tracing::info!(partitions = partitions.count(), "revoked");
                places(partitions).for_each(|place| {
                    state.pending.remove(&place);
                    state.revoked.push(place);
                });
                state.assigned =
                    state.assigned.and_then(|had| had.checked_sub(partitions.count())).filter(|left| *left > 0);
            }
            Rebalance::Error(error) => tracing::warn!(%error, "rebalance failed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_that_cannot_be_read_is_a_hindrance_and_a_passing_error_is_none() {
        let membership = Membership::default();
        assert_eq!(membership.hindrance().as_deref(), Some("no partitions are assigned"));
        membership.lock().assigned = Some(0);
        membership.failed(KafkaError::MessageConsumption(RDKafkaErrorCode::BrokerTransportFailure), Vec::new);
        assert_eq!(membership.hindrance(), None);
        let missing = || vec!["t".to_owned()];
        membership.failed(KafkaError::MessageConsumption(RDKafkaErrorCode::UnknownTopicOrPartition), missing);
        assert!(membership.hindrance().is_some_and(|why| why.contains("a topic cannot be read")));
        assert!(membership.made_anew().is_empty(), "it is not back yet");
        membership.lock().unreadable = None;
        let membership = Membership::succeeding(&membership);
        let anew = membership.made_anew();
        assert_eq!(anew, HashSet::from(["t".to_owned()]));
        membership.begun_anew(&anew);
        assert!(membership.made_anew().is_empty(), "once");
    }

    #[test]
    fn a_fenced_process_is_told_what_to_do() {
        assert!(fatal(RDKafkaErrorCode::FencedInstanceId, "fenced").to_string().contains("KAFKA_INSTANCE_ID"));
    }
}
