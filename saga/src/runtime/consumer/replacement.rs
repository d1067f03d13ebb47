//! Replacement of the client, and its leave from the group.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::Context;
use rdkafka::{
    ClientConfig, Offset,
    consumer::{BaseConsumer, Consumer as _},
};
use transport::Transport;

use super::{Consumer, LEAVES_WITHIN, LONGEST_AWAY};
use crate::runtime::membership::{InVain, Membership};

/// Creates a client that is joining the group.
pub(super) fn subscribed(
    client: &ClientConfig,
    topics: &[&str],
    membership: Membership,
) -> anyhow::Result<BaseConsumer<Membership>> {
    let consumer: BaseConsumer<_> = client.create_with_context(membership).context("creating the Kafka consumer")?;
    consumer.subscribe(topics).context("subscribing to the topics")?;
    Ok(consumer)
}

impl Consumer {
    /// Replaces the client when the certificates have changed: it reads them only when it is created, and would be refused when
    /// it connects again after theirs have expired.
    pub(super) fn take_up_certificates(&mut self) {
        let version = self.transport.version();
        let is_closing = self.former.as_ref().is_some_and(|former| !former.is_finished());
        if version == self.certificates || is_closing {
            return;
        }
        tracing::info!("new certificates: replacing the Kafka client");
        match self.join_as_a_new_client() {
            Ok(()) => self.certificates = version,
            // The files may be changing again at this moment. The former client goes on, and the next round tries again.
            Err(error) => tracing::warn!(
                error = format!("{error:#}"),
                "the Kafka client cannot be replaced; continuing with the one of the former certificates"
            ),
        }
    }

    /// Replaces a client that waits for Kafka in vain.
    pub(super) fn give_way(&mut self) -> anyhow::Result<()> {
        match self.kafka.context().is_in_vain(&self.kafka, &self.topics, &self.client, self.joins_within) {
            None => return Ok(()),
            // Not until the previous client has closed.
            Some(InVain::Unanswered) if self.former.as_ref().is_some_and(|former| !former.is_finished()) => {
                return Ok(());
            }
            Some(InVain::Unanswered) => tracing::warn!("Kafka answers other clients only; replacing this one"),
            Some(InVain::Unheard) => {
                tracing::warn!("Kafka does not answer the request to join the group; replacing the client");
                self.joins_within = (self.joins_within * 2).min(LONGEST_AWAY);
            }
        }
        self.join_as_a_new_client()
    }

    /// # Errors
    /// If the previous client has not closed yet: this process cannot join the group by itself.
    pub(super) fn join_as_a_new_client(&mut self) -> anyhow::Result<()> {
        if self.former.take().is_some_and(|former| !former.is_finished()) {
            // Closing this client would wait too: ending the process is faster.
            let nobody = Transport::plain().kafka("").create_with_context(Membership::default())?;
            std::mem::forget(std::mem::replace(&mut self.kafka, nobody));
            anyhow::bail!("the Kafka client can neither join the group nor close; restart the program");
        }
        tracing::info!("joining the consumer group with a new client");
        let membership = Membership::succeeding(self.kafka.context());
        let old = std::mem::replace(&mut self.kafka, subscribed(&self.client, &self.topics, membership)?);
        // Closing it waits for answers too.
        self.former = Some(thread::Builder::new().name("former-client".to_owned()).spawn(move || drop(old))?);
        Ok(())
    }

    /// Leaves the group, so that other members get the partitions at once. The client does this by itself when it is
    /// closed, except for a static member, which would keep its partitions until its session times out, as if it were
    /// coming back.
    pub(super) fn leave_group(&self) {
        let Ok(mut last) = self.kafka.assignment() else { return };
        self.kafka.unsubscribe();
        let until = Instant::now() + LEAVES_WITHIN;
        // Partitions are given back while the client is polled.
        while Instant::now() < until && self.kafka.assignment().is_ok_and(|assignment| assignment.count() > 0) {
            let _nothing_is_taken_any_more = self.kafka.poll(Duration::from_millis(20));
        }
        // The client leaves once its last offsets are committed; closed earlier, it does not leave at all. The
        // coordinator answers in order: when it answers this request, it has the offsets.
        let _ = last.set_all_offsets(Offset::Invalid);
        let _whatever_they_are = self.kafka.committed_offsets(last, LEAVES_WITHIN);
    }
}
