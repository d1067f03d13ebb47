//! The worker: claims due attempts, makes the calls, and hands the answers to the service.

use std::{marker::PhantomData, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::{FutureExt, future::BoxFuture};
use process::{Backoff, crash};
use sqlx::PgConnection;
use tokio::task::{JoinError, JoinSet};

use super::{
    Answer, Attempt, Claim, Outside, RetryPolicy,
    claimant::{Claimant, Held},
    conclusion::{Conclusion, Delay},
    store::{self, Due, PutOff},
};
use crate::{
    health::Progress,
    runtime::{
        carry::{ComesAgain, Exceptions, NotCommitted, carry},
        erased::{ErasedCommand, ErasedOutside, TypedOutside},
        incoming::{Incoming, Origin, Outcome},
        throttle::Throttle,
        unit_of_work::UnitOfWork,
        work::Work,
    },
    service::Service,
    shutdown::Shutdown,
};

/// Lease of a claim, unless it is renewed; twice a call's timeout if that is longer.
const LEASE: Duration = Duration::from_secs(10);
/// Answers that arrive this soon after the first share its transaction. A single call does not wait.
const LINGER: Duration = Duration::from_millis(2);
/// Maximum interval between polls, which find calls requested by other instances and a circuit that closes.
const LOOK: Duration = Duration::from_millis(500);

type Calls = JoinSet<Returned>;
type Returned = (Attempt, Held, Answer<ErasedCommand>);

/// Makes calls until shutdown, then finishes the calls in progress.
pub async fn run<S: Service, O: Outside<S::Command>>(
    work: UnitOfWork<S>,
    outside: Arc<O>,
    policy: RetryPolicy,
    shutdown: Shutdown,
) {
    let outside = Arc::new(TypedOutside::<S, O>(outside, PhantomData));
    run_watched(work.erased().clone(), outside, policy, Progress::unwatched(), shutdown).await;
}

/// As [`run`], and marks its progress.
pub(crate) fn run_watched(
    work: Work,
    outside: Arc<dyn ErasedOutside>,
    policy: RetryPolicy,
    progress: Progress,
    shutdown: Shutdown,
) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        let claimant = Arc::new(Claimant::new(LEASE.max(2 * outside.time_out())));
        let horizon = policy.longest_delay().max(claimant.lease()).mul_f64(1.2) + Duration::from_secs(60);
        tokio::select! {
            () = claimant.live(work.sessions(), work.wake(), horizon) => {}
            () = serve(&work, &outside, &policy, &claimant, Throttle::new(progress), &shutdown) => {}
        }
    })
}

async fn serve(
    work: &Work,
    outside: &Arc<dyn ErasedOutside>,
    policy: &RetryPolicy,
    claimant: &Arc<Claimant>,
    throttle: Throttle,
    shutdown: &Shutdown,
) {
    let mut calls: Calls = JoinSet::new();
    let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));
    loop {
        let wait = match claim(work, outside, claimant, &mut calls).await {
            Ok(wait) => {
                backoff.reset();
                throttle.progress.round();
                wait
            }
            Err(error) => {
                tracing::warn!(%error, "attempts cannot be claimed; retrying");
                throttle.progress.waiting(format!("attempts cannot be claimed: {error}"));
                backoff.delay()
            }
        };
        tokio::select! {
            Some(first) = calls.join_next() => {
                conclude(work, outside, policy, first, &mut calls, &throttle, shutdown).await;
            }
            () = work.wake().attempts_called() => {}
            () = tokio::time::sleep(wait) => {}
            () = shutdown.requested() => break,
        }
    }
    while let Some(first) = calls.join_next().await {
        conclude(work, outside, policy, first, &mut calls, &throttle, shutdown).await;
    }
}

/// Starts the due calls that can begin at once, and returns how long to wait for the next.
async fn claim(
    work: &Work,
    outside: &Arc<dyn ErasedOutside>,
    claimant: &Arc<Claimant>,
    calls: &mut Calls,
) -> sqlx::Result<Duration> {
    let idle = outside.concurrency().saturating_sub(calls.len());
    let room = outside.room();
    let (due, limit) = if room == 0 { (Due::Tries, idle) } else { (Due::All, idle.min(room)) };
    if limit == 0 {
        return Ok(LOOK);
    }
    let sessions = work.sessions();
    let mut db = sessions.acquire().await?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let claimed = store::claim(&mut db, claimant.number(), due, limit, claimant.lease());
    let claimed = sessions.bounded(claimed).await?;
    for attempt in claimed {
        crash::point("attempts.claimed");
        let (outside, held) = (outside.clone(), claimant.hold(&attempt));
        calls.spawn(async move {
            let answer = call(&*outside, &attempt).await;
            crash::point("attempts.called");
            (attempt, held, answer)
        });
    }
    if calls.len() >= outside.concurrency() || (room != 0 && room != usize::MAX) {
        return Ok(LOOK);
    }
    let next = sessions.bounded(store::next_due(&mut db, due)).await?;
    Ok(next.unwrap_or(LOOK).clamp(Duration::from_millis(5), LOOK))
}

/// Makes the call, unless an operator has settled it. A call that never returns, or panics, counts as failed.
async fn call(outside: &dyn ErasedOutside, attempt: &Attempt) -> Answer<ErasedCommand> {
    if let Some(word) = &attempt.settled_as {
        tracing::info!(saga_id = %attempt.saga_id, kind = attempt.kind, word, "attempt settled by an operator; the call is not made");
        return outside.settled(attempt, word);
    }
    let time_out = outside.time_out();
    match tokio::time::timeout(time_out, AssertUnwindSafe(outside.call(attempt)).catch_unwind()).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => Answer::Transient("the call panicked".to_owned()),
        Err(_) => Answer::Transient(format!("the call has not returned within {} s", time_out.as_secs())),
    }
}

/// Finishes, postpones or parks the attempts whose calls have returned: all their answers in one transaction.
async fn conclude(
    work: &Work,
    outside: &Arc<dyn ErasedOutside>,
    policy: &RetryPolicy,
    first: Result<Returned, JoinError>,
    calls: &mut Calls,
    throttle: &Throttle,
    shutdown: &Shutdown,
) {
    let (mut ended, mut claims, mut put_off) = (Vec::new(), Vec::new(), Vec::new());
    // Renewed until everything is written.
    let mut held = Vec::new();
    for (attempt, hold, answer) in returned(first, calls).await {
        let claim = hold.claim;
        held.push(hold);
        match Conclusion::from(policy, &attempt, answer) {
            Conclusion::Answered(command) => {
                claims.push(claim);
                ended.push(incoming(attempt, command, None));
            }
            Conclusion::GivenUp(why) => {
                tracing::warn!(saga_id = %attempt.saga_id, kind = attempt.kind, tries = attempt.tries, error = why, "attempt has used up its retries; giving it up");
                let command = outside.gave_up(&attempt);
                claims.push(claim);
                ended.push(incoming(attempt, command, Some(claim)));
            }
            Conclusion::Parked(why) => put_aside(work, &attempt, claim, &why).await,
            Conclusion::PutOff(delay) => put_off.push(postponed(&attempt, claim, delay)),
        }
    }
    if !put_off.is_empty()
        && let Err(error) = postpone(work, &put_off).await
    {
        tracing::warn!(%error, attempts = put_off.len(), "attempts cannot be postponed; their calls are repeated when the claims expire");
    }
    if ended.is_empty() {
        return;
    }
    let aside = Aside { work, ended: &ended, claims: &claims };
    if carry(work, &ended, &aside, throttle, shutdown).await.is_ok() {
        crash::point("attempts.settled");
    }
}

/// Collects the calls that return with the first, or soon after it.
async fn returned(first: Result<Returned, JoinError>, calls: &mut Calls) -> Vec<Returned> {
    let linger = tokio::time::Instant::now() + LINGER;
    let mut all = Vec::new();
    let mut next = Some(first);
    while let Some(call) = next {
        match call {
            Ok(returned) => all.push(returned),
            // Only if it was aborted: a call that panics counts as failed.
            Err(error) => tracing::error!(%error, "a call was aborted without an answer; it will be repeated"),
        }
        next = tokio::time::timeout_at(linger, calls.join_next()).await.ok().flatten();
    }
    all
}

/// Parks answers that cannot be processed, with their attempts. No answer is ever refused or held.
struct Aside<'a> {
    work: &'a Work,
    ended: &'a [Incoming<ErasedCommand>],
    /// Parallel to `ended`.
    claims: &'a [Claim],
}

impl Exceptions for Aside<'_> {
    async fn before_commit(&self, _: &mut PgConnection, _: usize, _: &[Outcome]) -> Result<(), NotCommitted> {
        Ok(())
    }

    async fn impossible(&self, place: usize, why: &str) -> Result<(), ComesAgain> {
        let Incoming { origin, what, .. } = &self.ended[place];
        if let Origin::Attempt { id, .. } = origin {
            tracing::error!(error = why, kind = what, "the answer to a call cannot be processed; parking the attempt");
            if let Err(error) = park(self.work, *id, self.claims[place], why).await {
                tracing::error!(%error, "the attempt cannot be parked; its call will be repeated");
            }
        }
        Ok(())
    }
}

fn incoming(attempt: Attempt, command: ErasedCommand, given_up: Option<Claim>) -> Incoming<ErasedCommand> {
    Incoming {
        origin: Origin::Attempt { id: attempt.id, cause: attempt.causation_id, given_up },
        event_id: None,
        what: attempt.kind,
        traceparent: attempt.traceparent,
        expects: None,
        command,
    }
}

fn postponed(attempt: &Attempt, claim: Claim, delay: Delay) -> PutOff {
    let Delay { after, counts, called, why: error } = delay;
    let (saga_id, kind, tries) = (attempt.saga_id, &attempt.kind, attempt.tries);
    let retry_in_ms = after.as_millis() as u64;
    if called {
        tracing::warn!(%saga_id, kind, tries, error, retry_in_ms, "call failed; retrying later");
    } else {
        tracing::debug!(%saga_id, kind, tries, error, retry_in_ms, "call not made; retrying later");
    }
    // Up to a tenth of jitter, so that calls that failed together are not retried together.
    let delay = after.mul_f64(rand::random_range(1.0..1.1));
    PutOff { id: attempt.id, claim, delay, counts, error }
}

async fn postpone(work: &Work, put_off: &[PutOff]) -> sqlx::Result<()> {
    let sessions = work.sessions();
    let postponed = sessions.bounded(async { store::postpone(&mut *sessions.acquire().await?, put_off).await }).await?;
    if postponed < put_off.len() as u64 {
        tracing::info!(
            attempts = put_off.len() as u64 - postponed,
            "attempts not postponed: another process has claimed them meanwhile"
        );
    }
    Ok(())
}

async fn put_aside(work: &Work, attempt: &Attempt, claim: Claim, error: &str) {
    let (saga_id, kind, tries) = (attempt.saga_id, &attempt.kind, attempt.tries);
    match park(work, attempt.id, claim, error).await {
        Ok(true) => tracing::error!(%saga_id, kind, tries, error, "attempt parked; an operator has to settle it"),
        Ok(false) => {
            tracing::info!(%saga_id, kind, tries, error, "attempt not parked: another process has claimed it meanwhile")
        }
        Err(error) => {
            tracing::warn!(%saga_id, kind, %error, "the attempt cannot be parked; its call is repeated when the claim expires")
        }
    }
}

async fn park(work: &Work, id: uuid::Uuid, claim: Claim, why: &str) -> sqlx::Result<bool> {
    let sessions = work.sessions();
    sessions.bounded(async { store::park(&mut *sessions.acquire().await?, id, claim, why).await }).await
}
