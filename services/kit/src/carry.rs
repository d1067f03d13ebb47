//! Carrying a batch through, whatever happens: retry or park, decided in one place.

use std::{collections::VecDeque, future::Future, ops::Range, time::Duration};

use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    backoff::Backoff,
    crash,
    incoming::{Incoming, Origin, Outcome},
    service::Service,
    shutdown::Shutdown,
    store::{Remedy, StoreError},
    throttle::{Throttle, Verdict},
    unit_of_work::UnitOfWork,
};

/// What has to be done with those of a batch that cannot be carried through like the others.
pub(crate) trait Exceptions: Sync {
    /// Sees to those that were refused or held, before the commit and within the transaction. `outcomes` are those of the
    /// batch from `start` on. False if that could not be done before a shutdown: then the batch must not be committed.
    fn before_commit(
        &self,
        db: &mut PgConnection,
        start: usize,
        outcomes: &[Outcome],
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Puts aside the one at this place, which can never be processed, before any after it is carried through. False if
    /// that could not be done before a shutdown.
    fn impossible(&self, place: usize, error: &StoreError) -> impl Future<Output = bool> + Send;
}

/// Carries a batch through. If it fails for one command's sake, it is halved until that command stands alone and
/// can be put aside; the rest goes through. Where the failure may be the batch's size or the database's state, it is tried
/// again first, then halved, and a command that still fails alone is put aside only while the database takes other writes.
/// If the database is away, it waits. False if a shutdown comes first: then whatever is not through will come again.
pub(crate) async fn carry<S: Service>(
    work: &UnitOfWork<S>,
    batch: &[Incoming<S::Command>],
    exceptions: &impl Exceptions,
    throttle: &Throttle,
    shutdown: &Shutdown,
) -> bool {
    let mut todo: VecDeque<Range<usize>> = VecDeque::new();
    todo.push_back(0..batch.len());
    let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(2));
    while let Some(mut part) = todo.pop_front() {
        if part.len() > throttle.size() {
            let middle = part.start + throttle.size();
            todo.push_front(middle..part.end);
            part.end = middle;
        }
        let error = match once(work, &batch[part.clone()], part.start, exceptions).await {
            Ok(false) => return false,
            Ok(true) => {
                throttle.passed(part.len(), identity(&batch[part.start]));
                throttle.progress.round();
                backoff.reset();
                continue;
            }
            Err(error) => error,
        };
        let remedy = match error.remedy() {
            // What happens again and again may have to do with the size.
            Remedy::Again if backoff.tries() >= 5 => Remedy::Suspect,
            remedy => remedy,
        };
        match remedy {
            Remedy::Again => {
                tracing::debug!(%error, "again");
                backoff.count();
                todo.push_front(part);
                continue;
            }
            Remedy::Park if part.len() == 1 => {
                if !exceptions.impossible(part.start, &error).await {
                    return false;
                }
                continue;
            }
            Remedy::Park => {
                let middle = part.start + part.len() / 2;
                todo.push_front(middle..part.end);
                todo.push_front(part.start..middle);
                continue;
            }
            Remedy::Later => {}
            Remedy::Suspect => {
                let bound = work.sessions().bound();
                match throttle.failed(part.len(), identity(&batch[part.start]), error.is_lock(), bound) {
                    Verdict::Again | Verdict::Halve => {}
                    Verdict::Condemn if work.sessions().probe().await.is_ok() => {
                        if !exceptions.impossible(part.start, &error).await {
                            return false;
                        }
                        continue;
                    }
                    Verdict::Condemn => {}
                }
            }
        }
        tracing::warn!(%error, events = part.len(), "the database does not take the batch; trying again");
        throttle.progress.waiting(format!("the database does not take a batch: {error}"));
        if !shutdown.sleep(backoff.delay()).await {
            return false;
        }
        todo.push_front(part);
    }
    true
}

/// What a command is known by when it comes again.
fn identity<C>(incoming: &Incoming<C>) -> Uuid {
    match incoming.origin {
        Origin::Event(id) | Origin::Parked(id) => id.0,
        Origin::Attempt { id, .. } => id,
        Origin::Direct => Uuid::nil(),
    }
}

async fn once<S: Service>(
    work: &UnitOfWork<S>,
    part: &[Incoming<S::Command>],
    start: usize,
    exceptions: &impl Exceptions,
) -> Result<bool, StoreError> {
    let mut staged = work.stage(part).await?;
    let (db, outcomes) = staged.parts();
    if !work.sessions().bounded(exceptions.before_commit(db, start, outcomes)).await? {
        return Ok(false);
    }
    crash::point("batch.before-commit");
    staged.commit().await.map(|_| true)
}
