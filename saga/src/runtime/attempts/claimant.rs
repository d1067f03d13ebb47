//! The claimant: a session lock that says that this process lives, renewal of its claims, and a look for those of others that
//! are gone.
//!
//! All of it goes over one connection of its own, apart from the pool. When the process dies, the connection is closed and the
//! lock with it, so others can tell within a second. A process that is frozen, or whose machine is lost, keeps its lock for
//! longer; then its leases end. Behind a pooler that shares sessions the lock proves nothing either way: it may stay when the
//! process is gone, and be gone while the process lives. So a claim is taken over only when its lock is gone *and* nobody has
//! renewed it meanwhile.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    Attempt, Claim,
    store::{self, Abandoned},
};
use crate::{runtime::wake::Wake, sessions::Sessions};

/// Interval at which it gives a sign of life, and renews the claims whose calls are still under way.
const BEAT: Duration = Duration::from_millis(500);
/// Interval at which it looks for the claims of others, and the time for which they have to look abandoned.
const LOOK: Duration = Duration::from_secs(1);

/// Claims attempts, under a number that no other process has.
#[derive(Debug)]
pub(super) struct Claimant {
    number: i64,
    lease: Duration,
    calls: Mutex<HashMap<Uuid, (Claim, Instant)>>,
}

/// A claim that is renewed until this is dropped.
#[derive(Debug)]
pub(super) struct Held {
    claimant: Arc<Claimant>,
    id: Uuid,
    pub(super) claim: Claim,
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut calls = self.claimant.calls();
        // Another claim of the same attempt may have taken its place.
        if calls.get(&self.id).is_some_and(|(claim, _)| *claim == self.claim) {
            calls.remove(&self.id);
        }
    }
}

impl Claimant {
    pub(super) fn new(lease: Duration) -> Self {
        Claimant { number: rand::random_range(1..=i64::MAX), lease, calls: Mutex::default() }
    }

    pub(super) fn number(&self) -> i64 {
        self.number
    }

    pub(super) fn lease(&self) -> Duration {
        self.lease
    }

    /// Keeps up the claim of an attempt that has just been claimed.
    pub(super) fn hold(self: &Arc<Self>, attempt: &Attempt) -> Held {
        let claim = Claim { claimant: self.number, tries: attempt.tries };
        self.calls().insert(attempt.id, (claim, Instant::now()));
        Held { claimant: self.clone(), id: attempt.id, claim }
    }

    /// Lives until it is dropped. Attempts that are put off for longer than `horizon` have been misdated.
    pub(super) async fn live(&self, sessions: &Sessions, wake: &Wake, horizon: Duration) {
        loop {
            let Err(error) = self.session(sessions, wake, horizon).await;
            tracing::warn!(%error, "the claimant's session has ended; opening another");
            tokio::time::sleep(BEAT).await;
        }
    }

    async fn session(
        &self,
        sessions: &Sessions,
        wake: &Wake,
        horizon: Duration,
    ) -> sqlx::Result<std::convert::Infallible> {
        let mut connection = sessions.bounded(sessions.pool().acquire()).await?.detach();
        let mut backend = None;
        let mut suspects: HashMap<Uuid, (Abandoned, Instant)> = HashMap::new();
        let mut next_look = Instant::now();
        loop {
            let pid = sessions.bounded(self.beat(&mut connection)).await?;
            if backend.replace(pid).is_some_and(|before| before != pid) {
                tracing::warn!(
                    "a pooler shares the sessions of this database: calls of a process that dies are made again when their leases end, not at once"
                );
            }
            if Instant::now() >= next_look {
                next_look = Instant::now() + LOOK;
                let released = sessions.bounded(self.look(&mut connection, &mut suspects, horizon)).await?;
                if released > 0 {
                    tracing::info!(attempts = released, "calls of a process that is gone are due again");
                    wake.attempts();
                }
            }
            tokio::time::sleep(BEAT).await;
        }
    }

    /// Takes the lock if it is not ours already, which costs no more than asking, and renews claims that are getting old.
    async fn beat(&self, db: &mut PgConnection) -> sqlx::Result<i32> {
        let pid = store::lock(db, self.number).await?;
        let now = Instant::now();
        let aging: Vec<(Uuid, Claim)> = self
            .calls()
            .iter()
            .filter(|(_, (_, since))| now.saturating_duration_since(*since) >= BEAT)
            .map(|(id, (claim, _))| (*id, *claim))
            .collect();
        if !aging.is_empty() {
            store::renew(db, &aging, self.lease).await?;
        }
        Ok(pid)
    }

    /// Makes due what has looked abandoned since the last look, and notes what does now.
    async fn look(
        &self,
        db: &mut PgConnection,
        suspects: &mut HashMap<Uuid, (Abandoned, Instant)>,
        horizon: Duration,
    ) -> sqlx::Result<u64> {
        let now = Instant::now();
        let mut gone = Vec::new();
        let mut still = HashMap::new();
        for found in store::abandoned(db, self.number, horizon).await? {
            let since = match suspects.get(&found.id) {
                Some((before, since)) if *before == found => *since,
                _ => now,
            };
            if found.misdated || now.saturating_duration_since(since) >= LOOK {
                gone.push(found);
            } else {
                still.insert(found.id, (found, since));
            }
        }
        *suspects = still;
        if gone.is_empty() { Ok(0) } else { store::release(db, &gone).await }
    }

    fn calls(&self) -> MutexGuard<'_, HashMap<Uuid, (Claim, Instant)>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
