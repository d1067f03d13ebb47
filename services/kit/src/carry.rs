//! Carrying a batch through, whatever happens: retry or park, decided in one place.

use std::{collections::VecDeque, future::Future, ops::Range, time::Duration};

use sqlx::PgConnection;

use crate::{
    backoff::Backoff,
    crash,
    incoming::{Incoming, Outcome},
    service::Service,
    shutdown::Shutdown,
    store::{Remedy, StoreError},
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
/// can be put aside; the rest goes through. If the database is away, it waits. False if a shutdown comes first: then
/// whatever is not through will come again.
pub(crate) async fn carry<S: Service>(
    work: &UnitOfWork<S>,
    batch: &[Incoming<S::Command>],
    exceptions: &impl Exceptions,
    shutdown: &Shutdown,
) -> bool {
    let mut todo: VecDeque<Range<usize>> = VecDeque::new();
    todo.push_back(0..batch.len());
    let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(2));
    while let Some(part) = todo.pop_front() {
        match once(work, &batch[part.clone()], part.start, exceptions).await {
            Ok(false) => return false,
            Ok(true) => backoff.reset(),
            Err(error) => match error.remedy() {
                Remedy::Again if backoff.tries() < 5 => {
                    tracing::debug!(%error, "again");
                    backoff.count();
                    todo.push_front(part);
                }
                Remedy::Again | Remedy::Later => {
                    tracing::warn!(error = %error, events = part.len(), "the database does not take the batch; trying again");
                    if !shutdown.sleep(backoff.delay()).await {
                        return false;
                    }
                    todo.push_front(part);
                }
                Remedy::Park if part.len() == 1 => {
                    if !exceptions.impossible(part.start, &error).await {
                        return false;
                    }
                }
                Remedy::Park => {
                    let middle = part.start + part.len() / 2;
                    todo.push_front(middle..part.end);
                    todo.push_front(part.start..middle);
                }
            },
        }
    }
    true
}

async fn once<S: Service>(
    work: &UnitOfWork<S>,
    part: &[Incoming<S::Command>],
    start: usize,
    exceptions: &impl Exceptions,
) -> Result<bool, StoreError> {
    let mut staged = work.stage(part).await?;
    let (db, outcomes) = staged.parts();
    if !exceptions.before_commit(db, start, outcomes).await? {
        return Ok(false);
    }
    crash::point("batch.before-commit");
    staged.commit().await.map(|_| true)
}
