//! The relay of one database, from start to stop.

use std::{sync::Arc, time::Duration};

use kit::{Backoff, config::Kafka, shutdown::Shutdown};
use sqlx::{ConnectOptions, postgres::PgConnectOptions};
use tokio::sync::watch;

use crate::{Candidacy, Candidate, Lost, Timing, lost::answered, outbox::session_options, program::PROGRAM};

/// A standby tries so often whether the leader is gone.
const STANDBY_POLL: Duration = Duration::from_millis(200);

/// Rows read at once, at most, unless somebody says otherwise.
pub const BATCH_ROWS: i64 = 2000;

/// Publishes the outbox of one database. Cheap to clone; a clone is the same relay.
#[derive(Clone)]
pub struct Relay(Arc<Settings>);

struct Settings {
    database: String,
    options: PgConnectOptions,
    kafka: Kafka,
    timing: Timing,
    batch_max: i64,
    holder: String,
    standing: watch::Sender<Standing>,
}

/// How a relay stands to its database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The database is away, or its tables are not there yet.
    Away,
    StandingBy,
    Leading,
}

impl Relay {
    /// `database` is the name in logs and metrics.
    pub fn new(database: &str, options: PgConnectOptions, kafka: Kafka, timing: Timing) -> Self {
        Self::in_batches_of(BATCH_ROWS, database, options, kafka, timing)
    }

    /// Reads at most `batch_max` rows at once and sends as many in a request: 1 is the naive way, to compare with.
    pub fn in_batches_of(
        batch_max: i64,
        database: &str,
        options: PgConnectOptions,
        kafka: Kafka,
        timing: Timing,
    ) -> Self {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        Relay(Arc::new(Settings {
            database: database.to_owned(),
            options: session_options(&options),
            kafka,
            timing,
            batch_max,
            holder: format!("{PROGRAM} {} {}", host.trim(), std::process::id()),
            standing: watch::Sender::new(Standing::Away),
        }))
    }

    /// How it stands at present.
    pub fn standing(&self) -> Standing {
        *self.0.standing.borrow()
    }

    /// Connects, to stand by.
    pub async fn stand_by(&self) -> Result<Candidate, Lost> {
        let session = answered(self.0.timing.lease, self.0.options.connect()).await?;
        Ok(Candidate::new(self.clone(), session))
    }

    /// Leads or stands by until shutdown. A database or broker that is away is waited for, as are tables that do not exist.
    pub async fn run(&self, shutdown: &Shutdown) {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
        let mut reported = String::new();
        while !shutdown.is_requested() {
            if let Err(lost) = self.lead_or_stand_by(shutdown, &mut backoff).await {
                self.report(&lost, &mut reported);
                shutdown.sleep(backoff.delay()).await;
            }
            self.0.standing.send_replace(Standing::Away);
        }
    }

    async fn lead_or_stand_by(&self, shutdown: &Shutdown, backoff: &mut Backoff) -> Result<(), Lost> {
        let mut candidate = self.stand_by().await?;
        loop {
            match candidate.try_to_lead().await? {
                Candidacy::Leads(tenure) => {
                    backoff.reset();
                    self.0.standing.send_replace(Standing::Leading);
                    return tenure.serve(shutdown).await;
                }
                Candidacy::StandsBy(again) => candidate = again,
            }
            backoff.reset();
            self.0.standing.send_replace(Standing::StandingBy);
            if !shutdown.sleep(STANDBY_POLL).await {
                return Ok(());
            }
        }
    }

    /// Says the same thing once, however often it is tried.
    fn report(&self, lost: &Lost, reported: &mut String) {
        let database = self.database();
        let text = lost.to_string();
        if text == *reported {
            tracing::debug!(database, error = text, "still not leading; trying again");
        } else if lost.is_not_migrated() {
            tracing::info!(database, "waiting for the service to make its tables");
        } else {
            tracing::warn!(database, error = text, "not leading; connecting again");
        }
        *reported = text;
    }

    pub(crate) fn database(&self) -> &str {
        &self.0.database
    }

    pub(crate) fn options(&self) -> &PgConnectOptions {
        &self.0.options
    }

    pub(crate) fn kafka(&self) -> &Kafka {
        &self.0.kafka
    }

    pub(crate) fn timing(&self) -> Timing {
        self.0.timing
    }

    pub(crate) fn batch_max(&self) -> i64 {
        self.0.batch_max
    }

    pub(crate) fn holder(&self) -> &str {
        &self.0.holder
    }
}
