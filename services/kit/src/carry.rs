//! Carrying a batch through, whatever happens: retry or park, decided in one place.

use std::{collections::VecDeque, future::Future, ops::Range, time::Duration};

use crate::{
    backoff::Backoff,
    crash,
    service::Service,
    shutdown::Shutdown,
    store::{Remedy, StoreError},
    incoming::{Incoming, Outcome},
    unit_of_work::UnitOfWork,
};

/// What has to be done with refused events before their batch may be committed.
pub(crate) trait Refusals: Sync {
    /// `outcomes` are those of the batch from `start` on. False if they could not be delivered before a shutdown: then the
    /// batch must not be committed.
    fn deliver(&self, start: usize, outcomes: &[Outcome]) -> impl Future<Output = bool> + Send;
}

/// For batches that come from elsewhere than a topic.
pub(crate) struct NoRefusals;

impl Refusals for NoRefusals {
    async fn deliver(&self, _: usize, _: &[Outcome]) -> bool {
        true
    }
}

/// Carries a batch through. If it fails for one command's sake, it is halved until that command stands alone; its error is
/// in the result, and the rest goes through. If the database is away, it waits. None if a shutdown comes first: then
/// whatever is not through will come again.
pub(crate) async fn carry<S: Service>(
    work: &UnitOfWork<S>,
    batch: &[Incoming<S::Command>],
    refusals: &impl Refusals,
    shutdown: &Shutdown,
) -> Option<Vec<Result<Outcome, StoreError>>> {
    let mut results = Vec::with_capacity(batch.len());
    let mut todo: VecDeque<Range<usize>> = VecDeque::new();
    todo.push_back(0..batch.len());
    let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(2));
    while let Some(part) = todo.pop_front() {
        match once(work, &batch[part.clone()], part.start, refusals).await {
            Ok(None) => return None,
            Ok(Some(outcomes)) => {
                results.extend(outcomes.into_iter().map(Ok));
                backoff.reset();
            }
            Err(error) => match error.remedy() {
                Remedy::Again if backoff.tries() < 5 => {
                    tracing::debug!(%error, "again");
                    backoff.count();
                    todo.push_front(part);
                }
                Remedy::Again | Remedy::Later => {
                    tracing::warn!(error = %error, events = part.len(), "the database does not take the batch; trying again");
                    if !shutdown.sleep(backoff.delay()).await {
                        return None;
                    }
                    todo.push_front(part);
                }
                Remedy::Park if part.len() == 1 => results.push(Err(error)),
                Remedy::Park => {
                    let middle = part.start + part.len() / 2;
                    todo.push_front(middle..part.end);
                    todo.push_front(part.start..middle);
                }
            },
        }
    }
    Some(results)
}

async fn once<S: Service>(
    work: &UnitOfWork<S>,
    part: &[Incoming<S::Command>],
    start: usize,
    refusals: &impl Refusals,
) -> Result<Option<Vec<Outcome>>, StoreError> {
    let staged = work.stage(part).await?;
    if !refusals.deliver(start, staged.outcomes()).await {
        return Ok(None);
    }
    crash::point("batch.before-commit");
    staged.commit().await.map(Some)
}
