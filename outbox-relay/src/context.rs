//! The context that the relay of one database, its candidates and its tenures share.

use std::{
    future::Future,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Instant,
};

use outbox::kafka::Cluster;
use sqlx::postgres::PgConnectOptions;

use crate::{
    Lost, Settings, Timing,
    claims::Claims,
    lost::answered,
    program::PROGRAM,
    progress::{Progress, Standing},
    store::session_options,
};

/// Stands for no epoch; no epoch is negative.
const NONE: i64 = -1;

/// Settings of a relay, and the state that outlives its sessions.
pub(crate) struct Context {
    settings: Settings,
    options: PgConnectOptions,
    holder: String,
    claims: Arc<Claims>,
    progress: Mutex<Progress>,
    /// The epoch in which this relay led in a session that it has discarded.
    abandoned: AtomicI64,
}

impl Context {
    pub(crate) fn new(settings: Settings, claims: Arc<Claims>) -> Self {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        Context {
            options: session_options(&settings.options, settings.timing.statement_timeout()),
            settings,
            holder: format!("{PROGRAM} {} {}", host.trim(), std::process::id()),
            claims,
            progress: Mutex::new(Progress::new(Instant::now())),
            abandoned: AtomicI64::new(NONE),
        }
    }

    /// The name of the database in logs and metrics.
    pub(crate) fn database(&self) -> &str {
        &self.settings.database
    }

    /// The publisher that the database belongs to, if the settings name it.
    pub(crate) fn publisher(&self) -> Option<&str> {
        self.settings.publisher.as_deref()
    }

    pub(crate) fn kafka(&self) -> &Cluster {
        &self.settings.kafka
    }

    pub(crate) fn timing(&self) -> Timing {
        self.settings.timing
    }

    pub(crate) fn batch_max(&self) -> i64 {
        self.settings.batch_max
    }

    /// Settings of the relay's own sessions.
    pub(crate) fn options(&self) -> &PgConnectOptions {
        &self.options
    }

    /// The name of this process in the lease.
    pub(crate) fn holder(&self) -> &str {
        &self.holder
    }

    /// The answer of the database, which has to come [in time](Timing::answered_within) for the lease.
    pub(crate) async fn answered<T>(&self, question: impl Future<Output = sqlx::Result<T>>) -> Result<T, Lost> {
        answered(self.timing().answered_within(), question).await
    }

    /// Claims a publisher for this database, among the relays of this process.
    pub(crate) fn claim(&self, publisher: &str) -> Result<(), Lost> {
        let claim = self.claims.claim(publisher, self.database());
        claim.map_err(|other| Lost::SamePublisher { publisher: publisher.to_owned(), other })
    }

    /// The state that this relay last reported. Not to be held across an await.
    pub(crate) fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reports a new standing, and the reason why the relay is not leading, if there is one.
    pub(crate) fn stands(&self, standing: Standing, lost: Option<String>) {
        *self.progress() = Progress { standing, lost, ..Progress::new(Instant::now()) };
    }

    /// The epoch in which no relay leads any more, whatever the database says; [`NONE`] if there is none.
    pub(crate) fn abandoned(&self) -> i64 {
        self.abandoned.load(Ordering::Relaxed)
    }

    /// Records the epoch in which this relay led in a session that it has closed, whether or not the server has noticed. None if
    /// the relay has resigned.
    pub(crate) fn abandon(&self, epoch: Option<i64>) {
        self.abandoned.store(epoch.unwrap_or(NONE), Ordering::Relaxed);
    }
}
