//! What the programs run on: a private Postgres and a broker.

use super::{
    Manifest,
    broker::{Broker, Started},
    kafka::Doors,
    postgres::Postgres,
    reporter::Reporter,
    state::StateDir,
};

/// Postgres and a broker, both started by us.
#[derive(Debug)]
pub struct Foundation {
    pub postgres: Postgres,
    pub broker: Started,
}

impl Foundation {
    /// Starts both in parallel, with the shop's databases, and waits until both answer.
    pub async fn start(broker: Broker, partitions: i32, state: &StateDir, reporter: &Reporter) -> anyhow::Result<Self> {
        Self::start_on(None, broker, partitions, state, reporter).await
    }

    /// As [`start`](Self::start), with a major version of PostgreSQL; None means the installed version.
    pub async fn start_on(
        postgres: Option<u32>,
        broker: Broker,
        partitions: i32,
        state: &StateDir,
        reporter: &Reporter,
    ) -> anyhow::Result<Self> {
        let manifest = Manifest::of_the_shop();
        Self::begin(postgres, &manifest, broker, partitions, &Doors::default(), state, reporter).await
    }

    /// As [`start_on`](Self::start_on), with the manifest's databases, and a broker behind these doors.
    pub(super) async fn behind(
        manifest: &Manifest,
        broker: Broker,
        partitions: i32,
        doors: &Doors,
        state: &StateDir,
        reporter: &Reporter,
    ) -> anyhow::Result<Self> {
        Self::begin(None, manifest, broker, partitions, doors, state, reporter).await
    }

    async fn begin(
        postgres: Option<u32>,
        manifest: &Manifest,
        broker: Broker,
        partitions: i32,
        doors: &Doors,
        state: &StateDir,
        reporter: &Reporter,
    ) -> anyhow::Result<Self> {
        let certs = doors.certs.as_ref();
        let postgres = async {
            let step = reporter.step("starting PostgreSQL");
            let postgres = match postgres {
                Some(major) => Postgres::start_version(major, manifest, certs, state, &step).await?,
                None => Postgres::start(manifest, certs, state).await?,
            };
            step.done(format!("PostgreSQL {}, private, one database for each service", postgres.version()));
            Ok(postgres)
        };
        let broker = Started::start(broker, manifest, partitions, doors, state, reporter);
        let (postgres, broker) = tokio::try_join!(postgres, broker)?;
        Ok(Self { postgres, broker })
    }

    /// Names and versions, such as `PostgreSQL 15.13 and Apache Kafka 4.1.0`.
    pub fn versions(&self) -> String {
        format!("PostgreSQL {} and {}", self.postgres.version(), self.broker.version())
    }

    /// Returns the reason if one of them ends unexpectedly.
    pub async fn failed(&mut self) -> anyhow::Error {
        tokio::select! {
            failure = self.postgres.failed() => failure,
            failure = self.broker.failed() => failure,
        }
    }

    /// Stops both and discards their data.
    pub async fn stop(self) -> anyhow::Result<()> {
        let (postgres, broker) = tokio::join!(self.postgres.stop(), self.broker.stop());
        postgres.and(broker)
    }
}
