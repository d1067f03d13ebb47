//! The relay of one database, from start to stop.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use process::{Backoff, shutdown::Shutdown};
use sqlx::ConnectOptions;

use crate::{Candidacy, Candidate, Lost, Settings, Standing, claims::Claims, context::Context};

/// A standby tries so often whether the leader is gone.
const STANDBY_POLL: Duration = Duration::from_millis(200);
/// What stops a database until a person does something is said this often.
const AGAIN_AFTER: Duration = Duration::from_secs(30);
/// A relay that is to stop waits no longer for the broker and the database together.
const STOPPED_WITHIN: Duration = Duration::from_secs(5);

/// Publishes the outbox of one database. Cheap to clone; a clone is the same relay.
#[derive(Clone)]
pub struct Relay(Arc<Context>);

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
        Relay(Arc::new(Context::new(settings, claims)))
    }

    /// How it stands at present.
    pub fn standing(&self) -> Standing {
        self.0.progress().standing
    }

    /// Why it does not do its work at present; None if it does.
    pub fn trouble(&self) -> Option<String> {
        let progress = self.0.progress().clone();
        progress.trouble(Instant::now(), self.patience())
    }

    /// The partitions of its topic that take nothing at present or have yet to catch up, while the others go on.
    pub fn partitions_behind(&self) -> Vec<usize> {
        self.0.progress().behind.clone()
    }

    /// Tells whether it has done anything at all lately, if only to find that its database is away.
    pub fn is_alive(&self) -> bool {
        self.0.progress().answered_at.elapsed() <= self.patience()
    }

    /// A relay that does not hear from its database for so long is stuck.
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

    async fn lead_or_stand_by(&self, shutdown: &Shutdown, backoff: &mut Backoff) -> Result<(), Lost> {
        let mut candidate = self.stand_by().await?;
        loop {
            match candidate.try_to_lead().await? {
                Candidacy::Leads(tenure) => {
                    // What it was lost for the last time may come again: it is over when the cursor has been saved.
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
}

async fn stopped_too_long_ago(shutdown: &Shutdown) {
    shutdown.requested().await;
    tokio::time::sleep(STOPPED_WITHIN).await;
}
