//! Dead letters: records that cannot be read or that were refused, with their origin and the reason.
//!
//! A letter is written in the transaction that gives the record up ([`DeadLetters::write`]) and published by [`run`]
//! after the commit, so no transaction and no partition ever waits for a Kafka producer. If the broker rejects a letter
//! for its size, it goes out without the value. If the broker does not accept it at all, it stays in `dead_letters` and
//! is retried. Neither holds up the others.

mod letter;
mod store;
mod worker;

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use sqlx::PgConnection;
use tokio::sync::Notify;

pub(crate) use letter::{Class, Digest, Letter, MAX_KEPT_VALUE_BYTES};
pub(crate) use worker::{ROUND, run};

use crate::store::StoreError;

/// Entry point for dead letters. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct DeadLetters {
    /// Set when letters were written since the worker was last woken.
    written: Arc<AtomicBool>,
    woken: Arc<Notify>,
    /// Set while so much is waiting to be published that values are no longer stored.
    full: Arc<AtomicBool>,
    portion: Arc<Portion>,
}

/// Batch size of letters in one transaction.
#[derive(Debug)]
struct Portion(AtomicUsize);

impl Default for Portion {
    fn default() -> Self {
        Portion(AtomicUsize::new(MOST_AT_ONCE))
    }
}

/// Maximum number of letters in one transaction; reduced while the database does not accept that many in time.
const MOST_AT_ONCE: usize = 100;

impl DeadLetters {
    /// Writes letters in the caller's transaction. After the commit, call [`wake`](Self::wake) to have them published at
    /// once.
    pub(crate) async fn write(&self, db: &mut PgConnection, letters: &[Letter]) -> Result<(), StoreError> {
        if letters.is_empty() {
            return Ok(());
        }
        store::write(db, letters, !self.full.load(Ordering::Relaxed)).await?;
        self.written.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Number of letters that may share a transaction now.
    pub(crate) fn portion(&self) -> usize {
        self.portion.0.load(Ordering::Relaxed)
    }

    /// Notes that the database did not accept this many letters at once.
    pub(crate) fn too_many(&self, letters: usize) {
        self.portion.0.store((letters / 2).max(1), Ordering::Relaxed);
    }

    /// Notes that all letters of a batch have been written: the next transaction may be a little larger.
    pub(crate) fn passed(&self) {
        let portion = self.portion();
        self.portion.0.store((portion + portion / 4 + 1).min(MOST_AT_ONCE), Ordering::Relaxed);
    }

    /// Wakes the worker; does nothing if no letter was written. Call it after a commit.
    pub(crate) fn wake(&self) {
        if self.written.swap(false, Ordering::Relaxed) {
            self.woken.notify_one();
        }
    }
}
