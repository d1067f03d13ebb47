//! Events that cannot be processed like the others: refused, held back, or impossible.

use std::time::Duration;

use process::Backoff;
use sqlx::PgConnection;

use crate::{
    EventId, SagaId,
    health::Progress,
    record::Record,
    runtime::{
        carry::{ComesAgain, Exceptions, NotCommitted},
        dead_letter::{Class, DeadLetters, Letter},
        erased::ErasedCommand,
        incoming::{Incoming, Origin, Outcome},
        parked::{self, Why},
        positions::Server,
        reading::Unread,
    },
    sessions::Sessions,
    shutdown::{Requested, Shutdown},
    store::StoreError,
};

/// Writes exceptions in transactions of their own, retrying until the database accepts them.
pub(crate) struct Shelf<'a> {
    pub(crate) service: &'static str,
    pub(crate) sessions: &'a Sessions,
    pub(crate) dead_letters: &'a DeadLetters,
    /// Refuses to write once the server may differ from the one that the batch was read for. `None` skips that check.
    pub(crate) server: Option<&'a Server>,
    /// Progress of the loop that waits for it.
    pub(crate) progress: &'a Progress,
    pub(crate) shutdown: &'a Shutdown,
}

/// An exception to write.
#[derive(Clone, Copy)]
enum Write<'a> {
    Letters(&'a [Letter]),
    Parked { id: EventId, saga_id: SagaId, what: &'a str, record: &'a Record, why: Why<'a> },
    ParkedAgain { id: EventId, saga_id: SagaId, what: &'a str, why: Why<'a> },
}

impl Shelf<'_> {
    /// Call this last, while holding the connection.
    fn is_the_same_server(&self) -> Result<(), NotCommitted> {
        if self.server.is_none_or(Server::is_the_same) { Ok(()) } else { Err(NotCommitted::ComesAgain) }
    }

    /// Writes dead letters.
    ///
    /// # Errors
    /// If a shutdown came first, or the server has changed.
    pub(crate) async fn write(&self, letters: &[Letter]) -> Result<(), ComesAgain> {
        let mut rest = letters;
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
        while !rest.is_empty() {
            let (now, later) = rest.split_at(self.dead_letters.portion().min(rest.len()));
            match self.sessions.bounded(self.once(Write::Letters(now))).await {
                Ok(()) => {
                    self.progress.round();
                    backoff.reset();
                    rest = later;
                }
                Err(NotCommitted::ComesAgain) => return Err(ComesAgain),
                Err(NotCommitted::Failed(error)) => {
                    // Remembered, because if this has cost the connection, the batch is read again.
                    self.dead_letters.too_many(now.len());
                    self.wait(&error, &mut backoff).await?;
                }
            }
            self.dead_letters.wake();
        }
        self.dead_letters.passed();
        Ok(())
    }

    /// Parks an event that this version cannot read.
    ///
    /// # Errors
    /// As for [`write`](Self::write).
    pub(crate) async fn park_unread(&self, unread: &Unread, record: &Record) -> Result<(), ComesAgain> {
        let Unread { id, saga_id, event_type, why, newer } = unread;
        let why = Why { error: why, needs_version: *newer };
        self.until_written(Write::Parked { id: *id, saga_id: *saga_id, what: event_type, record, why }).await
    }

    async fn until_written(&self, write: Write<'_>) -> Result<(), ComesAgain> {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
        loop {
            match self.sessions.bounded(self.once(write)).await {
                Ok(()) => {
                    self.progress.round();
                    return Ok(());
                }
                Err(NotCommitted::ComesAgain) => return Err(ComesAgain),
                Err(NotCommitted::Failed(error)) => self.wait(&error, &mut backoff).await?,
            }
        }
    }

    async fn wait(&self, error: &StoreError, backoff: &mut Backoff) -> Result<(), Requested> {
        self.progress.waiting(format!("parked events or dead letters cannot be written: {error}"));
        tracing::warn!(%error, "parked events or dead letters cannot be written; retrying");
        self.shutdown.pause(backoff.delay()).await
    }

    async fn once(&self, write: Write<'_>) -> Result<(), NotCommitted> {
        let mut transaction = self.sessions.begin().await?;
        let parked = match write {
            Write::Letters(letters) => {
                self.dead_letters.write(&mut transaction, letters).await?;
                None
            }
            Write::Parked { id, saga_id, what, record, why } => {
                let new = parked::park(&mut transaction, id, saga_id, what, record, why).await?;
                new.then_some((id, saga_id, what, why))
            }
            Write::ParkedAgain { id, saga_id, what, why } => {
                parked::park_again(&mut transaction, id, why).await?;
                Some((id, saga_id, what, why))
            }
        };
        self.is_the_same_server()?;
        transaction.commit().await?;
        if let Some((event_id, saga_id, on, Why { error, needs_version })) = parked {
            if needs_version.is_some() {
                tracing::warn!(%saga_id, %event_id, on, error, "event is newer than this program; parked, and its saga waits for a newer program");
            } else {
                tracing::error!(%saga_id, %event_id, on, error, "event cannot be processed; parked, and its saga waits for an operator");
            }
            metrics::counter!("events_parked_total", "service" => self.service).increment(1);
        }
        Ok(())
    }
}

/// Handles the exceptions of a batch: refused events become dead letters, held ones queue up behind parked ones, and
/// impossible ones are parked.
pub(crate) struct Aside<'a> {
    pub(crate) shelf: &'a Shelf<'a>,
    pub(crate) batch: &'a [Incoming<ErasedCommand>],
    /// Parallel to `batch`.
    pub(crate) records: &'a [Record],
}

impl Exceptions for Aside<'_> {
    /// A dead letter is written in the same transaction as the decision that refuses the record.
    async fn before_commit(
        &self,
        db: &mut PgConnection,
        start: usize,
        outcomes: &[Outcome],
    ) -> Result<(), NotCommitted> {
        let mut letters = Vec::new();
        for (place, outcome) in (start..).zip(outcomes) {
            let (incoming, record) = (&self.batch[place], &self.records[place]);
            match (outcome, incoming.origin) {
                (Outcome::Held, Origin::Event(id)) => {
                    parked::queue(db, id, incoming.command.saga_id, &incoming.what, record).await?;
                }
                (Outcome::Decided(says), _) => {
                    if let Some(why) = &says.refused {
                        letters.push(Letter::new(record.clone(), None, Class::Refused, why));
                    }
                }
                (Outcome::Duplicate | Outcome::Held, _) => {}
            }
        }
        self.shelf.dead_letters.write(db, &letters).await?;
        self.shelf.is_the_same_server()
    }

    async fn impossible(&self, place: usize, why: &str) -> Result<(), ComesAgain> {
        let (incoming, record) = (&self.batch[place], &self.records[place]);
        let saga_id = incoming.command.saga_id;
        let what = incoming.what.as_str();
        let why = Why { error: why, needs_version: None };
        match incoming.origin {
            Origin::Event(id) => self.shelf.until_written(Write::Parked { id, saga_id, what, record, why }).await,
            Origin::Parked(id) => self.shelf.until_written(Write::ParkedAgain { id, saga_id, what, why }).await,
            Origin::Attempt { .. } | Origin::Direct => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use sqlx::postgres::PgConnectOptions;

    use super::*;
    use crate::health::Health;

    #[tokio::test]
    async fn who_puts_aside_while_the_database_is_away_says_that_it_waits() {
        let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
        let options = PgConnectOptions::new_without_pgpass().host("127.0.0.1").port(closed.port()).username("nobody");
        let sessions = Sessions::new(options, 1, Duration::from_millis(500));
        let (health, (stop, shutdown)) = (Health::default(), Shutdown::by_hand());
        let progress = health.watch("consumer", Duration::from_secs(1));
        progress.round();
        let dead_letters = DeadLetters::default();
        let (server, service) = (None, "test");
        let shelf = Shelf {
            service,
            sessions: &sessions,
            dead_letters: &dead_letters,
            server,
            progress: &progress,
            shutdown: &shutdown,
        };
        let letters = [Letter::new(Record::default(), None, Class::Unreadable, "no JSON")];
        let waits = async {
            while !health
                .report(std::time::Instant::now())
                .not_ready
                .iter()
                .any(|why| why.contains("cannot be written"))
            {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            stop.now();
        };
        let both = async { tokio::join!(shelf.write(&letters), waits).0 };
        let written = tokio::time::timeout(Duration::from_secs(30), both).await.expect("within 30 s");
        assert_eq!(written, Err(ComesAgain), "there is no database");
    }
}
