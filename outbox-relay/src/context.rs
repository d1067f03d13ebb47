//! What the relay of one database, its candidates and its tenures have in common.

use std::{
    future::Future,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Instant,
};

use outbox::kafka::Kafka;
use sqlx::postgres::PgConnectOptions;

use crate::{
    Lost, Settings, Timing,
    claims::Claims,
    lost::answered,
    program::PROGRAM,
    progress::{Progress, Standing},
    store::session_options,
};

/// No epoch is negative.
const NONE: i64 = -1;

/// Settings of a relay, and what outlives its sessions.
pub(crate) struct Context {
    settings: Settings,
    options: PgConnectOptions,
    holder: String,
    claims: Arc<Claims>,
    progress: Mutex<Progress>,
    /// The epoch in which this relay led in a session that it has thrown away.
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

    /// The publisher that the database belongs to, where the settings say so.
    pub(crate) fn publisher(&self) -> Option<&str> {
        self.settings.publisher.as_deref()
    }

    pub(crate) fn kafka(&self) -> &Kafka {
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

    /// The answer of the database, which has to come [within](Timing::answered_within) the time that the lease leaves.
    pub(crate) async fn answered<T>(&self, question: impl Future<Output = sqlx::Result<T>>) -> Result<T, Lost> {
        answered(self.timing().answered_within(), question).await
    }

    /// Claims a publisher for this database, among the relays of this process.
    pub(crate) fn claim(&self, publisher: &str) -> Result<(), Lost> {
        let claim = self.claims.claim(publisher, self.database());
        claim.map_err(|other| Lost::SamePublisher { publisher: publisher.to_owned(), other })
    }

    /// What this relay last said of itself. Not to be held while something is waited for.
    pub(crate) fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It stands like this from now on, with nothing else to say but why it is not leading, if there is a reason.
    pub(crate) fn stands(&self, standing: Standing, lost: Option<String>) {
        *self.progress() = Progress { standing, lost, ..Progress::new(Instant::now()) };
    }

    /// The epoch that nobody leads in, whatever the database says; no epoch's number if there is none.
    pub(crate) fn abandoned(&self) -> i64 {
        self.abandoned.load(Ordering::Relaxed)
    }

    /// A session in which this relay led has been closed on our side, whether or not the server has noticed. None: the server
    /// has been told.
    pub(crate) fn abandon(&self, epoch: Option<i64>) {
        self.abandoned.store(epoch.unwrap_or(NONE), Ordering::Relaxed);
    }
}
