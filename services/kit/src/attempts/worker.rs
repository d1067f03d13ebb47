//! The worker: claims what is due, calls, and hands the answers to the service.

use std::{sync::Arc, time::Duration};

use chrono::Utc;
use sqlx::PgConnection;
use tokio::task::JoinSet;

use super::{Answer, Attempt, Next, Outside, RetryPolicy, store};
use crate::{
    backoff::Backoff,
    carry::{Exceptions, carry},
    crash,
    health::Progress,
    incoming::{Incoming, Origin, Outcome},
    service::Service,
    shutdown::Shutdown,
    store::StoreError,
    throttle::Throttle,
    unit_of_work::UnitOfWork,
};

/// Calls under way at once.
const CALLS: usize = 64;
/// How long a claim holds: longer than any call takes.
const LEASE: Duration = Duration::from_secs(15);
/// Answers that come this soon after the first share its transaction. Nobody waits who calls alone.
const LINGER: Duration = Duration::from_millis(2);
/// At least this often the worker looks by itself: for attempts of instances that died.
const LOOK: Duration = Duration::from_secs(1);

type Calls<C> = JoinSet<(Attempt, Answer<C>)>;

/// Makes calls until shutdown; what is under way then is finished first.
pub async fn run<S: Service, O: Outside<S::Command>>(
    work: UnitOfWork<S>,
    outside: Arc<O>,
    policy: RetryPolicy,
    shutdown: Shutdown,
) {
    run_watched(work, outside, policy, Progress::unwatched(), shutdown).await;
}

/// As [`run`], and marks its progress.
pub(crate) async fn run_watched<S: Service, O: Outside<S::Command>>(
    work: UnitOfWork<S>,
    outside: Arc<O>,
    policy: RetryPolicy,
    progress: Progress,
    shutdown: Shutdown,
) {
    let throttle = Throttle::new(progress);
    let mut calls: Calls<S::Command> = JoinSet::new();
    let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));
    loop {
        let wait = match claim(&work, &outside, &mut calls).await {
            Ok(wait) => {
                backoff.reset();
                throttle.progress.round();
                wait
            }
            Err(error) => {
                tracing::warn!(%error, "attempts cannot be claimed; trying again");
                throttle.progress.waiting(format!("attempts cannot be claimed: {error}"));
                backoff.delay()
            }
        };
        tokio::select! {
            Some(first) = calls.join_next() => conclude(&work, &outside, &policy, first, &mut calls, &throttle, &shutdown).await,
            () = work.wake().attempts_called() => {}
            () = tokio::time::sleep(wait) => {}
            () = shutdown.requested() => break,
        }
    }
    while let Some(first) = calls.join_next().await {
        conclude(&work, &outside, &policy, first, &mut calls, &throttle, &shutdown).await;
    }
}

/// Starts calls for what is due, and says how long to wait for the next.
async fn claim<S: Service, O: Outside<S::Command>>(
    work: &UnitOfWork<S>,
    outside: &Arc<O>,
    calls: &mut Calls<S::Command>,
) -> sqlx::Result<Duration> {
    let free = CALLS.saturating_sub(calls.len());
    if free == 0 {
        return Ok(LOOK);
    }
    let sessions = work.sessions();
    let mut db = sessions.acquire().await?;
    let claimed = sessions.bounded(store::claim(&mut db, free as i64, LEASE)).await?;
    for attempt in claimed {
        crash::point("attempts.claimed");
        let outside = outside.clone();
        calls.spawn(async move {
            let answer = outside.call(&attempt).await;
            crash::point("attempts.called");
            (attempt, answer)
        });
    }
    if calls.len() >= CALLS {
        return Ok(LOOK);
    }
    let due = sessions.bounded(store::next_due(&mut db)).await?;
    Ok(due.map_or(LOOK, |due| (due - Utc::now()).to_std().unwrap_or_default()).clamp(Duration::from_millis(5), LOOK))
}

/// Ends or postpones the attempts whose calls have returned: the answers of all of them in one transaction.
async fn conclude<S: Service, O: Outside<S::Command>>(
    work: &UnitOfWork<S>,
    outside: &Arc<O>,
    policy: &RetryPolicy,
    first: Result<(Attempt, Answer<S::Command>), tokio::task::JoinError>,
    calls: &mut Calls<S::Command>,
    throttle: &Throttle,
    shutdown: &Shutdown,
) {
    let linger = tokio::time::Instant::now() + LINGER;
    let mut answered = Vec::new();
    let mut next = Some(first);
    while let Some(returned) = next {
        match returned {
            Ok((attempt, answer)) => match policy.next(&attempt, &answer) {
                None | Some(Next::GiveUp) => {
                    let command = match answer {
                        Answer::Done(command) => command,
                        Answer::Transient(why) | Answer::NotCalled(why) | Answer::NeedsPerson(why) => {
                            tracing::warn!(order_id = %attempt.order_id, kind = attempt.kind, tries = attempt.tries, error = why, "gave up");
                            outside.gave_up(&attempt)
                        }
                    };
                    answered.push(incoming(attempt, command));
                }
                Some(next) => put_off(work, &attempt, &answer, next).await,
            },
            // The claim runs out by itself and the call is made again.
            Err(error) => tracing::error!(%error, "a call panicked; it will be made again"),
        }
        next = tokio::time::timeout_at(linger, calls.join_next()).await.ok().flatten();
    }
    if answered.is_empty() {
        return;
    }
    let aside = Aside { work, answered: &answered };
    if carry(work, &answered, &aside, throttle, shutdown).await {
        crash::point("attempts.settled");
    }
}

/// Answers that cannot be processed are parked with their attempts. None of them is ever refused or held.
struct Aside<'a, S: Service> {
    work: &'a UnitOfWork<S>,
    answered: &'a [Incoming<S::Command>],
}

impl<S: Service> Exceptions for Aside<'_, S> {
    async fn before_commit(&self, _: &mut PgConnection, _: usize, _: &[Outcome]) -> Result<bool, StoreError> {
        Ok(true)
    }

    async fn impossible(&self, place: usize, error: &StoreError) -> bool {
        let Incoming { origin, what, .. } = &self.answered[place];
        if let Origin::Attempt { id, .. } = origin {
            tracing::error!(%error, kind = what, "the answer cannot be processed: parked");
            if let Err(error) = park(self.work, *id, &error.to_string()).await {
                tracing::error!(%error, "the attempt cannot be parked; it will be made again");
            }
        }
        true
    }
}

fn incoming<C>(attempt: Attempt, command: C) -> Incoming<C> {
    Incoming {
        origin: Origin::Attempt { id: attempt.id, cause: attempt.causation_id },
        event_id: None,
        what: attempt.kind,
        traceparent: attempt.traceparent,
        command,
    }
}

async fn put_off<S: Service, C>(work: &UnitOfWork<S>, attempt: &Attempt, answer: &Answer<C>, next: Next) {
    let why = match answer {
        Answer::Done(_) => "answered",
        Answer::Transient(why) | Answer::NotCalled(why) | Answer::NeedsPerson(why) => why,
    };
    let (order_id, kind, tries) = (attempt.order_id, &attempt.kind, attempt.tries);
    let put_off = match next {
        Next::Retry { after, counts } => {
            tracing::warn!(%order_id, kind, tries, error = why, retry_in_ms = after.as_millis() as u64, "call failed");
            // Up to a tenth more, so that what failed together does not come back together.
            postpone(work, attempt.id, after.mul_f64(rand::random_range(1.0..1.1)), counts, why).await
        }
        Next::GiveUp | Next::Park => {
            tracing::error!(%order_id, kind, tries, error = why, "parked: a person is needed");
            park(work, attempt.id, why).await
        }
    };
    if let Err(error) = put_off {
        tracing::warn!(%order_id, kind, %error, "cannot be written down; the call is made again when its claim ends");
    }
}

async fn postpone<S: Service>(
    work: &UnitOfWork<S>,
    id: uuid::Uuid,
    delay: Duration,
    counts: bool,
    why: &str,
) -> sqlx::Result<()> {
    let sessions = work.sessions();
    sessions.bounded(async { store::postpone(&mut *sessions.acquire().await?, id, delay, counts, why).await }).await
}

async fn park<S: Service>(work: &UnitOfWork<S>, id: uuid::Uuid, why: &str) -> sqlx::Result<()> {
    let sessions = work.sessions();
    sessions.bounded(async { store::park(&mut *sessions.acquire().await?, id, why).await }).await
}
