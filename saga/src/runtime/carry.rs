//! Processes a batch under all conditions: the decision to retry or park is made here.

use std::{collections::VecDeque, future::Future, ops::Range, time::Duration};

use process::{Backoff, crash};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    runtime::{
        erased::{ErasedCommand, borrowed},
        incoming::{Incoming, Outcome},
        throttle::{Throttle, Treatment},
        work::Work,
    },
    shutdown::{Requested, Shutdown},
    store::{Remedy, StoreError},
};

/// The unfinished part of the batch will be redelivered: a shutdown came first, or the database may differ from the one
/// that the batch was read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ComesAgain;

impl From<Requested> for ComesAgain {
    fn from(_: Requested) -> Self {
        ComesAgain
    }
}

/// Reason why a transaction was not committed.
#[derive(Debug)]
pub(crate) enum NotCommitted {
    ComesAgain,
    Failed(StoreError),
}

impl From<StoreError> for NotCommitted {
    fn from(error: StoreError) -> Self {
        NotCommitted::Failed(error)
    }
}

impl From<sqlx::Error> for NotCommitted {
    fn from(error: sqlx::Error) -> Self {
        NotCommitted::Failed(error.into())
    }
}

/// Handling of those commands of a batch that cannot be processed like the others.
pub(crate) trait Exceptions: Sync {
    /// Handles refused and held commands, before the commit and within the transaction. `outcomes` are those of the batch
    /// from `start` on. After an error the batch must not be committed.
    fn before_commit(
        &self,
        db: &mut PgConnection,
        start: usize,
        outcomes: &[Outcome],
    ) -> impl Future<Output = Result<(), NotCommitted>> + Send;

    /// Parks the command at this index, which can never be processed, before any later one is processed.
    fn impossible(&self, place: usize, why: &str) -> impl Future<Output = Result<(), ComesAgain>> + Send;
}

/// Processes a batch. If it fails because of one command, the batch is halved until that command stands alone and can be
/// parked; the rest is committed. Where the failure may come from the batch's size or the database's state, the batch is
/// first retried, then halved, and a single command that still fails is parked only while the database accepts other
/// writes. If the database is unavailable, it waits. `throttle` remembers suspects: an event that costs the connection
/// ends the batch, and is condemned only when it does so again.
///
/// # Errors
/// The unfinished part of the batch will be redelivered.
pub(crate) async fn carry(
    work: &Work,
    batch: &[Incoming<ErasedCommand>],
    exceptions: &impl Exceptions,
    throttle: &Throttle,
    shutdown: &Shutdown,
) -> Result<(), ComesAgain> {
    let backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(2));
    let mut carrying = Carrying { work, batch, exceptions, throttle, shutdown, todo: VecDeque::new(), backoff };
    carrying.todo.push_back(0..batch.len());
    while let Some(part) = carrying.next() {
        if carrying.is_put_aside(&part).await? {
            continue;
        }
        match once(work, &batch[part.clone()], part.start, exceptions).await {
            Ok(fresh) => {
                throttle.passed(carrying.ids(&part), fresh);
                throttle.progress.round();
                carrying.backoff.reset();
            }
            Err(NotCommitted::ComesAgain) => return Err(ComesAgain),
            Err(NotCommitted::Failed(error)) => carrying.failed(part, error).await?,
        }
    }
    Ok(())
}

/// A batch in progress.
struct Carrying<'a, X> {
    work: &'a Work,
    batch: &'a [Incoming<ErasedCommand>],
    exceptions: &'a X,
    throttle: &'a Throttle,
    shutdown: &'a Shutdown,
    /// Parts of the batch, in order.
    todo: VecDeque<Range<usize>>,
    backoff: Backoff,
}

impl<X: Exceptions> Carrying<'_, X> {
    fn ids(&self, part: &Range<usize>) -> impl ExactSizeIterator<Item = Uuid> {
        self.batch[part.clone()].iter().map(|incoming| incoming.origin.id())
    }

    /// The next part that may share a transaction: a condemned command gets its own.
    fn next(&mut self) -> Option<Range<usize>> {
        let mut part = self.todo.pop_front()?;
        self.cut(&mut part, self.throttle.size());
        let condemned = self.throttle.condemned();
        let before = condemned.and_then(|(id, _)| self.ids(&part).position(|other| other == id));
        if let Some(before) = before {
            // First everything before it, then the command alone.
            self.cut(&mut part, before.max(1));
        }
        Some(part)
    }

    /// Truncates the part to at most `size`; the rest comes next.
    fn cut(&mut self, part: &mut Range<usize>, size: usize) {
        if part.len() > size {
            let middle = part.start + size;
            self.todo.push_front(middle..part.end);
            part.end = middle;
        }
    }

    /// Parks the part if it is the condemned command and the database accepts other writes.
    async fn is_put_aside(&self, part: &Range<usize>) -> Result<bool, ComesAgain> {
        let Some((id, why)) = self.throttle.condemned() else { return Ok(false) };
        if self.ids(part).next().is_none_or(|first| first != id) || self.work.sessions().probe().await.is_err() {
            return Ok(false);
        }
        self.exceptions.impossible(part.start, &why).await?;
        self.throttle.put_aside(id);
        self.throttle.progress.round();
        Ok(true)
    }

    /// Remedy for an error, given the failures so far.
    async fn remedy(&self, error: &StoreError) -> Remedy {
        match error.remedy() {
            // A failure that keeps coming back may be caused by the size.
            Remedy::Again if self.backoff.tries() >= 5 => Remedy::Suspect,
            // The batch may have crashed the server.
            Remedy::Later if error.is_broken_off() => {
                let takes_writes = self.work.sessions().probe().await.is_ok();
                if takes_writes && self.throttle.broke_off() { Remedy::Suspect } else { Remedy::Later }
            }
            Remedy::Later => {
                self.throttle.is_away();
                Remedy::Later
            }
            remedy => remedy,
        }
    }

    /// Handles a failed part: retries it at once or later, halves it, or parks it if it stands alone.
    async fn failed(&mut self, part: Range<usize>, error: StoreError) -> Result<(), ComesAgain> {
        match self.remedy(&error).await {
            Remedy::Again => {
                tracing::debug!(%error, "transaction failed; retrying at once");
                self.backoff.count();
                self.todo.push_front(part);
                return Ok(());
            }
            Remedy::Park if part.len() == 1 => {
                self.exceptions.impossible(part.start, &error.to_string()).await?;
                self.ids(&part).for_each(|id| self.throttle.put_aside(id));
                return Ok(());
            }
            Remedy::Park => {
                let middle = part.start + part.len() / 2;
                self.todo.push_front(middle..part.end);
                self.todo.push_front(part.start..middle);
                return Ok(());
            }
            Remedy::Later => {}
            Remedy::Suspect => {
                let ids: Vec<Uuid> = self.ids(&part).collect();
                let (bound, why) = (self.work.sessions().bound(), error.to_string());
                if self.throttle.judge(&ids, error.is_lock(), bound, &why) == Treatment::Condemn {
                    self.todo.push_front(part);
                    return Ok(());
                }
            }
        }
        tracing::warn!(%error, events = part.len(), "the database does not accept the batch; retrying");
        self.throttle.progress.waiting(format!("the database does not accept a batch: {error}"));
        self.todo.push_front(part);
        Ok(self.shutdown.pause(self.backoff.delay()).await?)
    }
}

/// Decides on a part and commits it; returns the number of events that were not duplicates.
async fn once(
    work: &Work,
    part: &[Incoming<ErasedCommand>],
    start: usize,
    exceptions: &impl Exceptions,
) -> Result<usize, NotCommitted> {
    let mut staged = work.stage(&borrowed(part)).await?;
    let (db, outcomes) = staged.parts();
    work.sessions().bounded(exceptions.before_commit(db, start, outcomes)).await?;
    crash::point("batch.before-commit");
    let outcomes = staged.commit().await?;
    Ok(outcomes.iter().filter(|outcome| **outcome != Outcome::Duplicate).count())
}
