//! The claimant: holds a session lock that proves that this process lives, renews its claims, and releases the claims of
//! processes that are gone.
//!
//! It uses one connection of its own, outside the pool. When the process dies, the connection closes and the lock is
//! released, so others notice within a second. A process that is frozen, or whose machine is lost, keeps its lock for
//! longer; then its leases expire. Behind a pooler that shares sessions, the lock proves nothing either way: it may
//! outlive the process, or be lost while the process lives. So a claim is released only when its lock is gone *and* it
//! has not been renewed meanwhile.

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

/// Heartbeat interval, at which claims of calls in progress are renewed.
const BEAT: Duration = Duration::from_millis(500);
/// Interval between looks at the claims of others, and the time for which a claim must look abandoned.
const LOOK: Duration = Duration::from_secs(1);

/// Claims attempts under a number that no other process has.
#[derive(Debug)]
pub(super) struct Claimant {
    number: i64,
    lease: Duration,
    calls: Mutex<HashMap<Uuid, (Claim, Instant)>>,
}

/// A claim that is renewed until this value is dropped.
#[derive(Debug)]
pub(super) struct Held {
    claimant: Arc<Claimant>,
    id: Uuid,
    pub(super) claim: Claim,
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut calls = self.claimant.calls();
        // Another claim of the same attempt may have replaced this one.
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

    /// Starts renewing the claim of an attempt that has just been claimed.
    pub(super) fn hold(self: &Arc<Self>, attempt: &Attempt) -> Held {
        let claim = Claim { claimant: self.number, tries: attempt.tries };
        self.calls().insert(attempt.id, (claim, Instant::now()));
        Held { claimant: self.clone(), id: attempt.id, claim }
    }

    /// Runs until it is dropped. Attempts postponed for longer than `horizon` have a wrong date.
    pub(super) async fn live(&self, sessions: &Sessions, wake: &Wake, horizon: Duration) {
        loop {
            let Err(error) = self.session(sessions, wake, horizon).await;
            tracing::warn!(%error, "lost the database session that holds this process's claims; opening another");
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
                    "a pooler shares the sessions of this database: when a process dies, its calls are repeated only after their leases expire"
                );
            }
            if Instant::now() >= next_look {
                next_look = Instant::now() + LOOK;
                let released = sessions.bounded(self.look(&mut connection, &mut suspects, horizon)).await?;
                if released > 0 {
                    tracing::info!(
                        attempts = released,
                        "released the calls of a process that has died; they are due again"
                    );
                    wake.attempts();
                }
            }
            tokio::time::sleep(BEAT).await;
        }
    }

    /// Takes the lock unless this session has it, which costs no more than asking, and renews claims that are getting
    /// old.
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

    /// Releases claims that have looked abandoned since the last look, and notes those that look abandoned now.
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
