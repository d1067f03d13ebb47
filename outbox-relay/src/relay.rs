//! The relay of one database, from start to stop.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures::future::BoxFuture;
use process::{Backoff, shutdown::Shutdown};
use sqlx::ConnectOptions;

use crate::{Candidacy, Candidate, Lost, Settings, Standing, claims::Claims, context::Context};

/// Interval at which a standby tries to take over.
const STANDBY_POLL: Duration = Duration::from_millis(200);
/// Interval at which a fault that needs a person is logged again.
const AGAIN_AFTER: Duration = Duration::from_secs(30);
/// Maximum time that a relay takes to stop, whatever the broker and the database do.
const STOPPED_WITHIN: Duration = Duration::from_secs(5);

/// Publishes the outbox of one database. Cheap to clone; a clone is the same relay.
#[derive(Clone)]
pub struct Relay(Arc<Context>);

/// The last fault logged, so that it is not repeated with every retry.
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
    /// publisher, neither is led. Other processes know nothing of that: only [`Settings::publisher`] holds for all of them.
    pub fn all(settings: impl IntoIterator<Item = Settings>) -> Vec<Self> {
        let claims = Arc::default();
        settings.into_iter().map(|settings| Self::of(settings, Arc::clone(&claims))).collect()
    }

    fn of(settings: Settings, claims: Arc<Claims>) -> Self {
        Relay(Arc::new(Context::new(settings, claims)))
    }

    /// Its current standing.
    pub fn standing(&self) -> Standing {
        self.0.progress().standing
    }

    /// The reason why it is not ready; None if it is.
    pub fn trouble(&self) -> Option<String> {
        let progress = self.0.progress().clone();
        progress.trouble(Instant::now(), self.patience())
    }

    /// The partitions of its topic that accept nothing at present or have yet to catch up, while the others continue.
    pub fn partitions_behind(&self) -> Vec<usize> {
        self.0.progress().behind.clone()
    }

    /// True if it has made progress lately, if only in finding that its database is away.
    pub fn is_alive(&self) -> bool {
        self.0.progress().answered_at.elapsed() <= self.patience()
    }

    /// Time without an answer from its database after which a relay counts as stuck.
    pub fn patience(&self) -> Duration {
        self.0.timing().lease * 2
    }

    /// The name of its database in logs and metrics.
    pub fn database(&self) -> &str {
        self.0.database()
    }

    /// Connects, to stand by.
    pub async fn stand_by(&self) -> Result<Candidate, Lost> {
        let session = self.0.answered(self.0.options().connect()).await?;
        Ok(Candidate::new(Arc::clone(&self.0), session))
    }

    /// Leads or stands by until shutdown. Waits for a database or a broker that is away, and for tables that do not exist yet.
    pub async fn run(&self, shutdown: &Shutdown) {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));
        let mut reported = Reported::default();
        while !shutdown.is_requested() {
            let left = tokio::select! {
                left = self.lead_or_stand_by(shutdown, &mut backoff) => left,
                () = stopped_too_long_ago(shutdown) => {
                    tracing::warn!(database = self.database(), "the relay stopped before the broker and the database had answered; a successor publishes what was not acknowledged");
                    return;
                }
            };
            match &left {
                Err(Lost::HandedOver) => self.0.stands(Standing::StandingBy, None),
                left => self.0.stands(Standing::Away, left.as_ref().err().map(ToString::to_string)),
            }
            if let Err(lost) = left {
                self.report(&lost, &mut reported);
                shutdown.sleep(backoff.delay()).await;
            }
        }
    }

    /// Boxed, so that it is compiled here and not in each program that contains a relay.
    fn lead_or_stand_by<'a>(
        &'a self,
        shutdown: &'a Shutdown,
        backoff: &'a mut Backoff,
    ) -> BoxFuture<'a, Result<(), Lost>> {
        Box::pin(self.lead(shutdown, backoff))
    }

    async fn lead(&self, shutdown: &Shutdown, backoff: &mut Backoff) -> Result<(), Lost> {
        let mut candidate = self.stand_by().await?;
        loop {
            match candidate.try_to_lead().await? {
                Candidacy::Leads(tenure) => {
                    // The fault that ended the last tenure may recur: it is over once the cursor has been saved.
                    let lost = self.0.progress().lost.take();
                    self.0.stands(Standing::Leading, lost);
                    let epoch = tenure.epoch();
                    let served = tenure.serve(shutdown).await;
                    if self.0.progress().lost.is_none() {
                        backoff.reset();
                    }
                    self.0.abandon(served.is_err().then_some(epoch));
                    return served;
                }
                Candidacy::StandsBy(again) => candidate = again,
            }
            backoff.reset();
            self.0.stands(Standing::StandingBy, None);
            if !shutdown.sleep(STANDBY_POLL).await {
                return Ok(());
            }
        }
    }

    /// Logs a fault once, however often it recurs; again periodically if it needs a person.
    fn report(&self, lost: &Lost, reported: &mut Reported) {
        let database = self.database();
        let text = lost.to_string();
        let again = lost.needs_a_person() && reported.at.is_none_or(|at| at.elapsed() >= AGAIN_AFTER);
        if text == reported.text && !again {
            tracing::debug!(database, error = text, "the relay still cannot lead; retrying");
            return;
        }
        if matches!(lost, Lost::NoPublisher) && text != reported.text {
            // It may be about to; if not, the fault is logged again, as one that needs a person.
            tracing::info!(database, "the database declares no publisher yet; waiting for its service to start");
        } else if lost.needs_a_person() {
            tracing::error!(
                database,
                error = text,
                "nothing is published from this database until the fault is repaired"
            );
        } else if matches!(lost, Lost::HandedOver) {
            tracing::info!(database, "{text}");
        } else if lost.is_not_migrated() {
            tracing::info!(database, "the database has no outbox yet; waiting for its service to start");
        } else {
            tracing::warn!(database, error = text, "the relay does not lead; reconnecting to the database");
        }
        *reported = Reported { text, at: Some(Instant::now()) };
    }
}

async fn stopped_too_long_ago(shutdown: &Shutdown) {
    shutdown.requested().await;
    tokio::time::sleep(STOPPED_WITHIN).await;
}
