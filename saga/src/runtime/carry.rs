//! Carrying a batch through, whatever happens: retry or park, decided in one place.

use std::{collections::VecDeque, future::Future, ops::Range, time::Duration};

use process::{Backoff, crash};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    runtime::{
        incoming::{Incoming, Outcome},
        throttle::{Throttle, Verdict},
        unit_of_work::UnitOfWork,
    },
    service::Service,
    shutdown::Shutdown,
    store::{Remedy, StoreError},
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
    /// that could not be done before a shutdown, or on this connection: then the batch comes again.
    fn impossible(&self, place: usize, why: &str) -> impl Future<Output = bool> + Send;
}

/// Carries a batch through. If it fails for one command's sake, it is halved until that command stands alone and
/// can be put aside; the rest goes through. Where the failure may be the batch's size or the database's state, it is tried
/// again first, then halved, and a command that still fails alone is put aside only while the database takes other writes.
/// If the database is away, it waits. What is suspected is remembered by `throttle`: an event that costs the connection ends the
/// batch, and is condemned for good only when it comes again. False if a shutdown comes first: then whatever is not through
/// will come again.
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
        if let Some((id, why)) = throttle.condemned()
            && let Some(place) = part.clone().find(|&place| batch[place].origin.id() == id)
        {
            // What comes before it first; then it alone.
            let end = if place > part.start { place } else { place + 1 };
            if end < part.end {
                todo.push_front(end..part.end);
                part.end = end;
            }
            if place == part.start && work.sessions().probe().await.is_ok() {
                if !exceptions.impossible(place, &why).await {
                    return false;
                }
                throttle.put_aside(id);
                throttle.progress.round();
                continue;
            }
        }
        let ids = || batch[part.clone()].iter().map(|incoming| incoming.origin.id());
        let error = match once(work, &batch[part.clone()], part.start, exceptions).await {
            Ok(None) => return false,
            Ok(Some(fresh)) => {
                throttle.passed(ids(), fresh);
                throttle.progress.round();
                backoff.reset();
                continue;
            }
            Err(error) => error,
        };
        let remedy = match error.remedy() {
            // What happens again and again may have to do with the size.
            Remedy::Again if backoff.tries() >= 5 => Remedy::Suspect,
            // The server may have died of it.
            Remedy::Later if error.is_broken_off() => {
                if work.sessions().probe().await.is_err() {
                    Remedy::Later
                } else if throttle.broke_off() {
                    Remedy::Suspect
                } else {
                    Remedy::Later
                }
            }
            Remedy::Later => {
                throttle.is_away();
                Remedy::Later
            }
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
                if !exceptions.impossible(part.start, &error.to_string()).await {
                    return false;
                }
                ids().for_each(|id| throttle.put_aside(id));
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
                let ids: Vec<Uuid> = ids().collect();
                let (bound, why) = (work.sessions().bound(), error.to_string());
                if throttle.judge(&ids, error.is_lock(), bound, &why) == Verdict::Condemn {
                    todo.push_front(part);
                    continue;
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

/// Decides upon a part and commits it: how many of it were no duplicates, or none if it must not be committed.
async fn once<S: Service>(
    work: &UnitOfWork<S>,
    part: &[Incoming<S::Command>],
    start: usize,
    exceptions: &impl Exceptions,
) -> Result<Option<usize>, StoreError> {
    let mut staged = work.stage(part).await?;
    let (db, outcomes) = staged.parts();
    if !work.sessions().bounded(exceptions.before_commit(db, start, outcomes)).await? {
        return Ok(None);
    }
    crash::point("batch.before-commit");
    let outcomes = staged.commit().await?;
    Ok(Some(outcomes.iter().filter(|outcome| **outcome != Outcome::Duplicate).count()))
}
