//! The relay of one database, from start to stop.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use outbox::kafka::Kafka;
use process::{Backoff, shutdown::Shutdown};
use sqlx::{ConnectOptions, postgres::PgConnectOptions};

use crate::{
    Candidacy, Candidate, Lost, Settings, Timing, claims::Claims, lost::answered, program::PROGRAM, progress::Progress,
    store::session_options,
};

/// A standby tries so often whether the leader is gone.
const STANDBY_POLL: Duration = Duration::from_millis(200);
/// What stops a database until a person does something is said this often.
const AGAIN_AFTER: Duration = Duration::from_secs(30);
/// A relay that is to stop waits no longer for the broker and the database together.
const STOPPED_WITHIN: Duration = Duration::from_secs(5);
/// No epoch is negative.
const NONE: i64 = -1;

/// Publishes the outbox of one database. Cheap to clone; a clone is the same relay.
#[derive(Clone)]
pub struct Relay(Arc<Inner>);

struct Inner {
    settings: Settings,
    options: PgConnectOptions,
    holder: String,
    claims: Arc<Claims>,
    progress: Mutex<Progress>,
    /// The epoch in which this relay led in a session that it has thrown away.
    abandoned: AtomicI64,
}

/// How a relay stands to its database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The database is away, its tables are not there yet, or it is in a state in which nothing may be published.
    Away,
    /// Another relay leads.
    StandingBy,
    /// This one leads.
    Leading,
}

/// What was reported last, so that it is not said over and over.
#[derive(Default)]
struct Reported {
    text: String,
    at: Option<Instant>,
}

impl Relay {
    /// A relay of one database; nothing is connected yet.
    pub fn new(settings: Settings) -> Self {
        Self::of(settings, Arc::default())
    }

    /// The relays of one process. Each publisher's events come from one database only: of two that declare the same
    /// publisher, neither is led. Other processes know nothing of that: [`Settings::publisher`] is what holds for all.
    pub fn all(settings: impl IntoIterator<Item = Settings>) -> Vec<Self> {
        let claims = Arc::default();
        settings.into_iter().map(|settings| Self::of(settings, Arc::clone(&claims))).collect()
    }

    fn of(settings: Settings, claims: Arc<Claims>) -> Self {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        Relay(Arc::new(Inner {
            options: session_options(&settings.options, settings.timing.statement_timeout()),
            settings,
            holder: format!("{PROGRAM} {} {}", host.trim(), std::process::id()),
            claims,
            progress: Mutex::new(Progress::new(Instant::now())),
            abandoned: AtomicI64::new(NONE),
        }))
    }

    /// How it stands at present.
    pub fn standing(&self) -> Standing {
        self.progress().standing
    }

    /// Why it does not do its work at present; None if it does.
    pub fn trouble(&self) -> Option<String> {
        let progress = self.progress().clone();
        progress.trouble(Instant::now(), self.patience())
    }

    /// The partitions of its topic that take nothing at present or have yet to catch up, while the others go on.
    pub fn partitions_behind(&self) -> Vec<usize> {
        self.progress().behind.clone()
    }

    /// Tells whether it has done anything at all lately, if only to find that its database is away.
    pub fn is_alive(&self) -> bool {
        self.progress().answered_at.elapsed() <= self.patience()
    }

    /// A relay that does not hear from its database for so long is stuck.
    pub fn patience(&self) -> Duration {
        self.timing().lease * 2
    }

    /// The name of its database in logs and metrics.
    pub fn database(&self) -> &str {
        &self.0.settings.database
    }

    /// Connects, to stand by.
    pub async fn stand_by(&self) -> Result<Candidate, Lost> {
        let session = answered(self.timing().answered_within(), self.0.options.connect()).await?;
        Ok(Candidate::new(self.clone(), session))
    }

    /// Leads or stands by until shutdown. A database or broker that is away is waited for, as are tables that do not exist.
    pub async fn run(&self, shutdown: &Shutdown) {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));
        let mut reported = Reported::default();
        while !shutdown.is_requested() {
            let left = tokio::select! {
                left = self.lead_or_stand_by(shutdown, &mut backoff) => left,
                () = stopped_too_long_ago(shutdown) => {
                    tracing::warn!(database = self.database(), "stopped without having finished: what is not acknowledged is left to a successor");
                    return;
                }
            };
            let now = Progress::new(Instant::now());
            *self.progress() = match &left {
                Err(Lost::HandedOver) => Progress { standing: Standing::StandingBy, ..now },
                left => Progress { lost: left.as_ref().err().map(ToString::to_string), ..now },
            };
            if let Err(lost) = left {
                self.report(&lost, &mut reported);
                shutdown.sleep(backoff.delay()).await;
            }
        }
    }

    async fn lead_or_stand_by(&self, shutdown: &Shutdown, backoff: &mut Backoff) -> Result<(), Lost> {
        let mut candidate = self.stand_by().await?;
        loop {
            match candidate.try_to_lead().await? {
                Candidacy::Leads(tenure) => {
                    // What it was lost for the last time may come again: it is over when the cursor has been saved.
                    let lost = self.progress().lost.take();
                    *self.progress() = Progress { standing: Standing::Leading, lost, ..Progress::new(Instant::now()) };
                    let epoch = tenure.epoch();
                    let served = tenure.serve(shutdown).await;
                    if self.progress().lost.is_none() {
                        backoff.reset();
                    }
                    // Its session is closed on our side, whether or not the server has noticed.
                    self.0.abandoned.store(if served.is_err() { epoch } else { NONE }, Ordering::Relaxed);
                    return served;
                }
                Candidacy::StandsBy(again) => candidate = again,
            }
            backoff.reset();
            *self.progress() = Progress { standing: Standing::StandingBy, ..Progress::new(Instant::now()) };
            if !shutdown.sleep(STANDBY_POLL).await {
                return Ok(());
            }
        }
    }

    /// Says the same thing once, however often it is tried; what needs a person now and then again.
    fn report(&self, lost: &Lost, reported: &mut Reported) {
        let database = self.database();
        let text = lost.to_string();
        let again = lost.needs_a_person() && reported.at.is_none_or(|at| at.elapsed() >= AGAIN_AFTER);
        if text == reported.text && !again {
            tracing::debug!(database, error = text, "still not leading; trying again");
            return;
        }
        if matches!(lost, Lost::NoPublisher) && text != reported.text {
            // A moment later it may have; if not, it is said again, and then a person is needed.
            tracing::info!(database, "waiting for the service to declare its publisher");
        } else if lost.needs_a_person() {
            tracing::error!(database, error = text, "nothing is published from this database until this is mended");
        } else if matches!(lost, Lost::HandedOver) {
            tracing::info!(database, "{text}");
        } else if lost.is_not_migrated() {
            tracing::info!(database, "waiting for the service to make its tables");
        } else {
            tracing::warn!(database, error = text, "not leading; connecting again");
        }
        *reported = Reported { text, at: Some(Instant::now()) };
    }

    pub(crate) fn progress(&self) -> MutexGuard<'_, Progress> {
        self.0.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Claims a publisher for this database, among the relays of this process.
    pub(crate) fn claim(&self, publisher: &str) -> Result<(), Lost> {
        let claim = self.0.claims.claim(publisher, self.database());
        claim.map_err(|other| Lost::SamePublisher { publisher: publisher.to_owned(), other })
    }

    pub(crate) fn publisher(&self) -> Option<&str> {
        self.0.settings.publisher.as_deref()
    }

    pub(crate) fn abandoned(&self) -> i64 {
        self.0.abandoned.load(Ordering::Relaxed)
    }

    pub(crate) fn options(&self) -> &PgConnectOptions {
        &self.0.options
    }

    pub(crate) fn kafka(&self) -> &Kafka {
        &self.0.settings.kafka
    }

    pub(crate) fn timing(&self) -> Timing {
        self.0.settings.timing
    }

    pub(crate) fn batch_max(&self) -> i64 {
        self.0.settings.batch_max
    }

    pub(crate) fn holder(&self) -> &str {
        &self.0.holder
    }
}

async fn stopped_too_long_ago(shutdown: &Shutdown) {
    shutdown.requested().await;
    tokio::time::sleep(STOPPED_WITHIN).await;
}
