//! The worker: claims what is due, calls, and hands the answers to the service.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::FutureExt;
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
        incoming::{Incoming, Origin, Outcome},
        throttle::Throttle,
        unit_of_work::UnitOfWork,
    },
    service::Service,
    shutdown::Shutdown,
};

/// Time for which a claim holds unless it is renewed; twice the time that a call may take if that is longer.
const LEASE: Duration = Duration::from_secs(10);
/// Answers that come this soon after the first share its transaction. Nobody waits who calls alone.
const LINGER: Duration = Duration::from_millis(2);
/// At least this often the worker looks by itself: for what others have asked for, and for a circuit that closes.
const LOOK: Duration = Duration::from_millis(500);

type Calls<C> = JoinSet<Returned<C>>;
type Returned<C> = (Attempt, Held, Answer<C>);

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
    let claimant = Arc::new(Claimant::new(LEASE.max(2 * outside.time_out())));
    let horizon = policy.longest_delay().max(claimant.lease()).mul_f64(1.2) + Duration::from_secs(60);
    tokio::select! {
        () = claimant.live(work.sessions(), work.wake(), horizon) => {}
        () = serve(&work, &outside, &policy, &claimant, Throttle::new(progress), &shutdown) => {}
    }
}

async fn serve<S: Service, O: Outside<S::Command>>(
    work: &UnitOfWork<S>,
    outside: &Arc<O>,
    policy: &RetryPolicy,
    claimant: &Arc<Claimant>,
    throttle: Throttle,
    shutdown: &Shutdown,
) {
    let mut calls: Calls<S::Command> = JoinSet::new();
    let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));
    loop {
        let wait = match claim(work, outside, claimant, &mut calls).await {
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

/// Starts calls for what is due and can begin at once, and says how long to wait for the next.
async fn claim<S: Service, O: Outside<S::Command>>(
    work: &UnitOfWork<S>,
    outside: &Arc<O>,
    claimant: &Arc<Claimant>,
    calls: &mut Calls<S::Command>,
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

/// Makes the call, unless a person has settled it. One that never returns, or panics, has failed like any other.
async fn call<C, O: Outside<C>>(outside: &O, attempt: &Attempt) -> Answer<C> {
    if let Some(word) = &attempt.settled_as {
        tracing::info!(saga_id = %attempt.saga_id, kind = attempt.kind, word, "settled by a person: not called");
        return outside.settled(attempt, word);
    }
    let time_out = outside.time_out();
    match tokio::time::timeout(time_out, AssertUnwindSafe(outside.call(attempt)).catch_unwind()).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => Answer::Transient("the call panicked".to_owned()),
        Err(_) => Answer::Transient(format!("the call has not returned within {} s", time_out.as_secs())),
    }
}

/// Ends, postpones or parks the attempts whose calls have returned: the answers of all of them in one transaction.
async fn conclude<S: Service, O: Outside<S::Command>>(
    work: &UnitOfWork<S>,
    outside: &Arc<O>,
    policy: &RetryPolicy,
    first: Result<Returned<S::Command>, JoinError>,
    calls: &mut Calls<S::Command>,
    throttle: &Throttle,
    shutdown: &Shutdown,
) {
    let (mut ended, mut claims, mut put_off) = (Vec::new(), Vec::new(), Vec::new());
    // Renewed until all is written down.
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
                tracing::warn!(saga_id = %attempt.saga_id, kind = attempt.kind, tries = attempt.tries, error = why, "gave up");
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
        tracing::warn!(%error, attempts = put_off.len(), "cannot be put off; their calls are made again when the claims end");
    }
    if ended.is_empty() {
        return;
    }
    let aside = Aside { work, ended: &ended, claims: &claims };
    if carry(work, &ended, &aside, throttle, shutdown).await.is_ok() {
        crash::point("attempts.settled");
    }
}

/// The calls that return with the first, or soon after it.
async fn returned<C: Send + 'static>(first: Result<Returned<C>, JoinError>, calls: &mut Calls<C>) -> Vec<Returned<C>> {
    let linger = tokio::time::Instant::now() + LINGER;
    let mut all = Vec::new();
    let mut next = Some(first);
    while let Some(call) = next {
        match call {
            Ok(returned) => all.push(returned),
            // Only if it was aborted: a call that panics has failed.
            Err(error) => tracing::error!(%error, "a call has ended without an answer; it will be made again"),
        }
        next = tokio::time::timeout_at(linger, calls.join_next()).await.ok().flatten();
    }
    all
}

/// Answers that cannot be processed are parked with their attempts. None of them is ever refused or held.
struct Aside<'a, S: Service> {
    work: &'a UnitOfWork<S>,
    ended: &'a [Incoming<S::Command>],
    /// In step with `ended`.
    claims: &'a [Claim],
}

impl<S: Service> Exceptions for Aside<'_, S> {
    async fn before_commit(&self, _: &mut PgConnection, _: usize, _: &[Outcome]) -> Result<(), NotCommitted> {
        Ok(())
    }

    async fn impossible(&self, place: usize, why: &str) -> Result<(), ComesAgain> {
        let Incoming { origin, what, .. } = &self.ended[place];
        if let Origin::Attempt { id, .. } = origin {
            tracing::error!(error = why, kind = what, "the answer cannot be processed: parked");
            if let Err(error) = park(self.work, *id, self.claims[place], why).await {
                tracing::error!(%error, "the attempt cannot be parked; it will be made again");
            }
        }
        Ok(())
    }
}

fn incoming<C>(attempt: Attempt, command: C, given_up: Option<Claim>) -> Incoming<C> {
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
        tracing::warn!(%saga_id, kind, tries, error, retry_in_ms, "call failed");
    } else {
        tracing::debug!(%saga_id, kind, tries, error, retry_in_ms, "not called");
    }
    // Up to a tenth more, so that what failed together does not come back together.
    let delay = after.mul_f64(rand::random_range(1.0..1.1));
    PutOff { id: attempt.id, claim, delay, counts, error }
}

async fn postpone<S: Service>(work: &UnitOfWork<S>, put_off: &[PutOff]) -> sqlx::Result<()> {
    let sessions = work.sessions();
    let postponed = sessions.bounded(async { store::postpone(&mut *sessions.acquire().await?, put_off).await }).await?;
    if postponed < put_off.len() as u64 {
        tracing::info!(attempts = put_off.len() as u64 - postponed, "left to those who have claimed them meanwhile");
    }
    Ok(())
}

async fn put_aside<S: Service>(work: &UnitOfWork<S>, attempt: &Attempt, claim: Claim, error: &str) {
    let (saga_id, kind, tries) = (attempt.saga_id, &attempt.kind, attempt.tries);
    match park(work, attempt.id, claim, error).await {
        Ok(true) => tracing::error!(%saga_id, kind, tries, error, "parked: a person is needed"),
        Ok(false) => tracing::info!(%saga_id, kind, tries, error, "left to whoever has claimed it meanwhile"),
        Err(error) => {
            tracing::warn!(%saga_id, kind, %error, "cannot be parked; the call is made again when its claim ends")
        }
    }
}

async fn park<S: Service>(work: &UnitOfWork<S>, id: uuid::Uuid, claim: Claim, why: &str) -> sqlx::Result<bool> {
    let sessions = work.sessions();
    sessions.bounded(async { store::park(&mut *sessions.acquire().await?, id, claim, why).await }).await
}
