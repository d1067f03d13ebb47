//! What becomes of events that cannot be carried through like the others: refused, held back, or impossible to process.

use std::time::Duration;

use sqlx::PgConnection;

use crate::{
    backoff::Backoff,
    carry::Exceptions,
    dead_letter::DeadLetters,
    incoming::{Incoming, Origin, Outcome},
    parked,
    record::Record,
    service::Service,
    sessions::Sessions,
    shutdown::Shutdown,
    store::StoreError,
};

/// Refused events go to the dead letters; held ones behind those that they wait for; impossible ones are parked.
pub(crate) struct Aside<'a, S: Service> {
    pub(crate) sessions: &'a Sessions,
    pub(crate) dead_letters: &'a DeadLetters,
    pub(crate) batch: &'a [Incoming<S::Command>],
    /// In step with `batch`.
    pub(crate) records: &'a [Record],
    pub(crate) shutdown: &'a Shutdown,
}

impl<S: Service> Exceptions for Aside<'_, S> {
    /// A dead letter is published before the commit: a crash in between makes a second letter, never none.
    async fn before_commit(
        &self,
        db: &mut PgConnection,
        start: usize,
        outcomes: &[Outcome],
    ) -> Result<bool, StoreError> {
        for (place, outcome) in (start..).zip(outcomes) {
            let (incoming, record) = (&self.batch[place], &self.records[place]);
            match (outcome, incoming.origin) {
                (Outcome::Held, Origin::Event(id)) => {
                    parked::queue(db, id, S::order_of(&incoming.command), &incoming.what, record).await?;
                }
                (Outcome::Decided(says), _) => {
                    if let Some(why) = &says.refused
                        && !self.dead_letters.publish(record, "Refused", why).await
                    {
                        return Ok(false);
                    }
                }
                (Outcome::Duplicate | Outcome::Held, _) => {}
            }
        }
        Ok(true)
    }

    async fn impossible(&self, place: usize, error: &StoreError) -> bool {
        let (incoming, record) = (&self.batch[place], &self.records[place]);
        let (order_id, why) = (S::order_of(&incoming.command), error.to_string());
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
        loop {
            let pool = self.sessions.pool();
            let parked = match incoming.origin {
                Origin::Event(id) => {
                    let parking = parked::park(pool, id, order_id, &incoming.what, record, &why);
                    self.sessions.bounded(parking).await
                }
                Origin::Parked(id) => self.sessions.bounded(parked::park_again(pool, id, &why)).await,
                Origin::Attempt { .. } | Origin::Direct => return true,
            };
            match parked {
                Ok(()) => {
                    let event_id = incoming.origin.cause().map(tracing::field::display);
                    tracing::error!(%order_id, event_id, on = incoming.what, error = why, "parked: this event cannot be processed");
                    metrics::counter!("events_parked_total", "service" => S::NAME).increment(1);
                    return true;
                }
                Err(error) => {
                    tracing::warn!(%error, "the event cannot be parked; trying again");
                    if !self.shutdown.sleep(backoff.delay()).await {
                        return false;
                    }
                }
            }
        }
    }
}
