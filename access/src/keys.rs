//! An issuer's keys, kept in memory and read again from time to time: however many tokens name unknown keys, the source is asked
//! at most once in a while.

use std::{
    sync::{Arc, Weak},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use arc_swap::ArcSwapOption;
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep, timeout},
};

use crate::{
    key::KeySet,
    source::{Reading, Source},
};

/// Times of the cache.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    /// Interval at which the keys are read again.
    pub(crate) every: Duration,
    /// Minimum pause between two reads, whatever happens.
    pub(crate) pause: Duration,
    /// Age at which keys no longer count, if their source has been away for so long.
    pub(crate) max_age: Duration,
    pub(crate) reading: Reading,
}

/// A key set and the time at which the source had it.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) set: KeySet,
    read: Instant,
    /// Time at which the read began, in milliseconds since 1970: the set has every key of before.
    asked_ms: u64,
    /// Time in milliseconds for which an issuer publishes a key before it uses it.
    ahead_ms: u64,
}

impl Held {
    /// Time until which the set has every key that was used, in milliseconds since 1970.
    pub(crate) fn has_keys_until_ms(&self) -> u64 {
        self.asked_ms.saturating_add(self.ahead_ms)
    }
}

/// The cache.
#[derive(Debug)]
pub(crate) struct Keys {
    source: Source,
    times: Times,
    held: ArcSwapOption<Held>,
    /// Someone has met a key that is not in the set.
    asked: Arc<Notify>,
    /// End of the last read, successful or not.
    tried: watch::Sender<Option<Instant>>,
}

impl Keys {
    pub(crate) fn new(source: Source, times: Times) -> Arc<Self> {
        let (held, asked, tried) = (ArcSwapOption::empty(), Arc::default(), watch::Sender::new(None));
        Arc::new(Keys { source, times, held, asked, tried })
    }

    /// The keys, unless there are none or they are too old.
    pub(crate) fn current(&self) -> Option<Arc<Held>> {
        self.held.load_full().filter(|held| held.read.elapsed() <= self.times.max_age)
    }

    /// Lets the keys be read again, as soon as that is due.
    pub(crate) fn want(&self) {
        self.asked.notify_one();
    }

    /// Waits for a read that begins or is under way, and not at all if the last one has just ended.
    pub(crate) async fn ask(&self) {
        let mut tried = self.tried.subscribe();
        let last = *tried.borrow_and_update();
        if last.is_some_and(|last| last.elapsed() < self.times.pause) {
            return;
        }
        self.asked.notify_one();
        // The read is bounded; so is the wait, should nobody read.
        let _ = timeout(self.times.reading.within + Duration::from_secs(1), tried.changed()).await;
    }

    /// Reads the keys once; returns whether that succeeded. Keys that the source no longer has are gone then.
    pub(crate) async fn refresh(&self) -> bool {
        let (asked_ms, ahead_ms) = (now_ms(), u64::try_from(self.times.pause.as_millis()).unwrap_or(u64::MAX));
        let read = self.source.read(self.times.reading).await;
        let is_read = read.is_ok();
        match read {
            Ok(mut set) => {
                match &*self.held.load() {
                    Some(former) => set.succeed(&former.set, now_ms()),
                    None => tracing::info!(keys = set.len(), "the issuer's keys have been read"),
                }
                self.held.store(Some(Arc::new(Held { set, read: Instant::now(), asked_ms, ahead_ms })));
            }
            Err(error) => {
                let error = format!("{error:#}");
                match self.held.load().as_ref().map(|held| held.read.elapsed().as_secs()) {
                    Some(age_seconds) => {
                        tracing::warn!(
                            error,
                            age_seconds,
                            "the issuer's keys cannot be read; the former ones count on"
                        );
                    }
                    None => tracing::error!(error, "the issuer's keys cannot be read; no token can be verified"),
                }
            }
        }
        self.tried.send_replace(Some(Instant::now()));
        is_read
    }

    /// Reads the keys now, then again at intervals and when asked to, until the last user of the cache is gone.
    pub(crate) async fn run(keys: Weak<Self>) {
        while let Some(held) = keys.upgrade() {
            let (read, times, asked) = (held.refresh().await, held.times, held.asked.clone());
            drop(held);
            sleep(times.pause).await;
            if read {
                let _ = timeout(times.every.saturating_sub(times.pause), asked.notified()).await;
            }
        }
    }
}

/// The time, in milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}
