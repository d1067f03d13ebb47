//! Deadlines: turns rows that are due into commands.
//!
//! A command that cannot be carried out for reasons of its own (a row that cannot be read) is put aside, logged as an
//! error, and retried at growing intervals; the others go on.

use std::{
    collections::HashMap,
    future::Future,
    marker::PhantomData,
    time::{Duration, Instant},
};

use anyhow::Context;
use futures::future::BoxFuture;
use sqlx::PgPool;

use crate::{
    SagaId,
    health::Progress,
    runtime::{
        erased::{ErasedDeadlines, TypedDeadlines},
        unit_of_work::UnitOfWork,
        work::Work,
    },
    service::Service,
    shutdown::Shutdown,
    store::{Remedy, StoreError},
};

/// Minimum and maximum delay before a failed command is retried.
const DELAYS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));
/// Number of consecutive ambiguous failures after which the database, not the commands, is taken for the cause.
const UNCLEAR: u32 = 3;

/// Query for commands that are due.
pub trait Deadlines<C>: Send + Sync + 'static {
    /// Name of what is due, for logs and metrics.
    const WHAT: &'static str;

    /// Returns commands that are due now, at most a few hundred, and none for the sagas in `aside`: those are poison, and
    /// at the head of every list they would starve the rest. Commands are only proposals: each is decided with its rows
    /// locked.
    fn due(&self, pool: &PgPool, aside: &[SagaId]) -> impl Future<Output = sqlx::Result<Vec<C>>> + Send;
}

/// Carries out commands that are due.
pub struct Timer {
    work: Work,
    deadlines: Box<dyn ErasedDeadlines>,
    aside: HashMap<SagaId, Failure>,
}

/// Consecutive failures of one saga's command, and when to retry it.
#[derive(Debug, Clone, Copy)]
struct Failure {
    tries: u32,
    again: Instant,
}

impl Failure {
    fn next(before: Option<Failure>, now: Instant) -> Self {
        let tries = before.map_or(0, |failure| failure.tries);
        let delay = DELAYS.0.saturating_mul(1 << tries.min(20)).min(DELAYS.1);
        Failure { tries: tries + 1, again: now + delay }
    }
}

impl Timer {
    /// A timer with nothing put aside.
    pub fn new<S: Service>(work: UnitOfWork<S>, deadlines: impl Deadlines<S::Command>) -> Self {
        let deadlines = Box::new(TypedDeadlines::<S, _>(deadlines, PhantomData));
        Timer { work: work.erased().clone(), deadlines, aside: HashMap::new() }
    }

    /// Runs one round: carries out all that is due, and returns the number of commands carried out.
    ///
    /// # Errors
    /// If the database is unavailable. Whatever was not carried out is due again.
    pub async fn step(&mut self) -> anyhow::Result<usize> {
        self.round(|| {}).await
    }

    async fn round(&mut self, carried_out: impl Fn()) -> anyhow::Result<usize> {
        let what = self.deadlines.what();
        let now = Instant::now();
        let aside: Vec<SagaId> =
            self.aside.iter().filter(|(_, failure)| failure.again > now).map(|(saga, _)| *saga).collect();
        let sessions = self.work.sessions();
        let due =
            sessions.bounded(self.deadlines.due(sessions.pool(), &aside)).await.context("querying what is due")?;
        // A command whose retry has come but which is no longer due has been dealt with otherwise.
        self.aside.retain(|saga, failure| failure.again > now || due.iter().any(|it| it.saga_id == *saga));
        let (mut count, mut unclear) = (0, 0);
        for command in due {
            let saga = command.saga_id;
            match self.work.submit(what, command, None).await {
                Ok(_) => {
                    (count, unclear) = (count + 1, 0);
                    if self.aside.remove(&saga).is_some() {
                        tracing::info!(saga_id = %saga, what, "a command that had been put aside was carried out");
                    }
                    carried_out();
                }
                Err(error) => match error.remedy() {
                    Remedy::Later => return Err(error.into()),
                    Remedy::Again | Remedy::Suspect => {
                        self.put_aside(saga, &error);
                        unclear += 1;
                        if unclear == UNCLEAR {
                            return Err(error.into());
                        }
                    }
                    Remedy::Park => self.put_aside(saga, &error),
                },
            }
        }
        metrics::gauge!("deadlines_put_aside", "what" => what).set(self.aside.len() as f64);
        Ok(count)
    }

    fn put_aside(&mut self, saga: SagaId, error: &StoreError) {
        let failure = Failure::next(self.aside.get(&saga).copied(), Instant::now());
        if failure.tries == 1 {
            tracing::error!(%error, saga_id = %saga, what = self.deadlines.what(), "a due command fails; it is put aside and retried at growing intervals");
        } else {
            tracing::debug!(%error, saga_id = %saga, what = self.deadlines.what(), tries = failure.tries, "a command that was put aside fails again");
        }
        self.aside.insert(saga, failure);
    }
}

/// Carries out due commands, every `period`, until shutdown.
pub(crate) fn run(
    mut timer: Timer,
    period: Duration,
    progress: Progress,
    shutdown: Shutdown,
) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        let what = timer.deadlines.what();
        while shutdown.sleep(period).await {
            match timer.round(|| progress.round()).await {
                Ok(_) => progress.round(),
                Err(error) => {
                    tracing::warn!(error = %format!("{error:#}"), what, "deadlines cannot be processed; retrying");
                    progress.waiting(format!("deadlines cannot be processed: {error:#}"));
                }
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_again_and_again_is_tried_ever_more_rarely() {
        let now = Instant::now();
        let mut failure = Failure::next(None, now);
        let mut delays = vec![(failure.again - now).as_secs()];
        for _ in 0..9 {
            failure = Failure::next(Some(failure), now);
            delays.push((failure.again - now).as_secs());
        }
        assert_eq!(delays, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300]);
    }
}
