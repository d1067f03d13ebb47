//! Dead letters: records that nobody can read or that were refused, with where they came from and why.
//!
//! A letter is written in the transaction that gives the record up ([`DeadLetters::write`]) and published from there by
//! [`run`] after the commit: no transaction and no partition ever waits for Kafka's producer. A letter that the broker does
//! not take for its size goes out without the value, and one that it does not take at all stays in `dead_letters` and is
//! tried again; neither stops the others.

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

/// Where letters are handed in; cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct DeadLetters {
    /// Letters that were written since the worker was last woken.
    written: Arc<AtomicBool>,
    woken: Arc<Notify>,
    /// Set while so much waits to be published that values are not kept any more.
    full: Arc<AtomicBool>,
    portion: Arc<Portion>,
}

/// Letters that share a transaction.
#[derive(Debug)]
struct Portion(AtomicUsize);

impl Default for Portion {
    fn default() -> Self {
        Portion(AtomicUsize::new(MOST_AT_ONCE))
    }
}

/// Most letters that share a transaction; fewer where the database does not take so many in time.
const MOST_AT_ONCE: usize = 100;

impl DeadLetters {
    /// Writes letters within the caller's transaction. After the commit, [`wake`](Self::wake) has it published at once.
    pub(crate) async fn write(&self, db: &mut PgConnection, letters: &[Letter]) -> Result<(), StoreError> {
        if letters.is_empty() {
            return Ok(());
        }
        store::write(db, letters, !self.full.load(Ordering::Relaxed)).await?;
        self.written.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Letters that may share a transaction now.
    pub(crate) fn portion(&self) -> usize {
        self.portion.0.load(Ordering::Relaxed)
    }

    /// The database did not take so many at once.
    pub(crate) fn too_many(&self, letters: usize) {
        self.portion.0.store((letters / 2).max(1), Ordering::Relaxed);
    }

    /// All letters of a batch have been written: next time a few more may share a transaction.
    pub(crate) fn passed(&self) {
        let portion = self.portion();
        self.portion.0.store((portion + portion / 4 + 1).min(MOST_AT_ONCE), Ordering::Relaxed);
    }

    /// To be called after a commit; does nothing if no letter was written.
    pub(crate) fn wake(&self) {
        if self.written.swap(false, Ordering::Relaxed) {
            self.woken.notify_one();
        }
    }
}
