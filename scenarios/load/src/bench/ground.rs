//! Environment for measurements without services: a Postgres with the services' tables and a broker with their topics.

use anyhow::Context;
use events::publisher;
use saga::{
    config::{Cluster, Kafka},
    shutdown::Shutdown,
};
use secrecy::ExposeSecret;
use sqlx::{
    migrate::Migrator,
    postgres::{PgPool, PgPoolOptions},
};
use testbed::{Broker, Database, Foundation, PARTITIONS, Reporter, StateDir};
use transport::Transport;

/// Postgres and Apache Kafka without any programs.
#[derive(Debug)]
pub struct Ground {
    pub state: StateDir,
    foundation: Foundation,
}

/// Runs `work` on a new environment and removes it afterwards; None if `shutdown` was requested meanwhile.
pub async fn with<T>(
    reporter: &Reporter,
    shutdown: &Shutdown,
    work: impl AsyncFnOnce(&Ground) -> anyhow::Result<T>,
) -> anyhow::Result<Option<T>> {
    let state = StateDir::create()?;
    reporter.note(format!("logs are in {}", state.logs().display()));
    let foundation = tokio::select! {
        started = Foundation::start(Broker::Kafka, PARTITIONS, &state, reporter) => started?,
        () = shutdown.requested() => return Ok(None),
    };
    let ground = Ground { state, foundation };
    let answer = tokio::select! {
        answer = async { ground.prepare().await?; work(&ground).await } => answer.map(Some),
        () = shutdown.requested() => Ok(None),
    };
    let step = reporter.step("stopping the servers");
    let stopped = ground.foundation.stop().await;
    let answer = answer?;
    stopped?;
    step.done("the servers are stopped");
    Ok(answer)
}

impl Ground {
    /// Creates the account service's tables in its database, the common tables in all others, and a topic for each publisher.
    async fn prepare(&self) -> anyhow::Result<()> {
        for database in Database::OF_THE_SHOP {
            let migrations = if database == Database::ACCOUNTS { &account::MIGRATIONS } else { &Migrator::DEFAULT };
            let pool = self.pool(database, 1)?;
            saga::migrate(&pool, migrations).await.with_context(|| format!("migrating {database}"))?;
            pool.close().await;
        }
        let topics: Vec<String> = publisher::all().map(|publisher| publisher.topic().to_owned()).collect();
        self.topics(&topics).await
    }

    /// Creates missing topics.
    pub async fn topics(&self, topics: &[String]) -> anyhow::Result<()> {
        saga::topics::ensure(&self.kafka(), "scenarios-bench", topics).await
    }

    /// host:port.
    pub fn brokers(&self) -> &str {
        self.foundation.broker.brokers()
    }

    /// Kafka as a service gets it.
    pub fn kafka(&self) -> Cluster {
        let kafka = Kafka {
            kafka_brokers: vec![self.brokers().to_owned()],
            kafka_partitions: PARTITIONS,
            kafka_replication: Some(1),
            kafka_instance_id: None,
            kafka_topics: Default::default(),
            kafka_prefix: Default::default(),
            kafka_sasl: Default::default(),
        };
        kafka.over(&Transport::plain())
    }

    /// The URL of a database.
    ///
    /// # Errors
    /// Never: every database exists.
    pub fn url(&self, database: Database) -> anyhow::Result<&str> {
        let url = self.foundation.postgres.databases().get(&database);
        Ok(url.with_context(|| format!("{database} is missing"))?.expose_secret())
    }

    /// A pool of at most `connections` connections to a database.
    pub fn pool(&self, database: Database, connections: u32) -> anyhow::Result<PgPool> {
        let options: sqlx::postgres::PgConnectOptions = self.url(database)?.parse().context("a database's URL")?;
        let options = options.application_name("scenarios-bench");
        Ok(PgPoolOptions::new().max_connections(connections).connect_lazy_with(options))
    }

    /// Broker and database, with their versions.
    pub fn versions(&self) -> (String, String) {
        (self.foundation.broker.version(), format!("PostgreSQL {}", self.foundation.postgres.version()))
    }

    /// The servers' process ids.
    pub fn servers(&self) -> Vec<(&'static str, u32)> {
        let servers = [("postgres", self.foundation.postgres.pid()), ("kafka", self.foundation.broker.pid())];
        servers.into_iter().filter_map(|(name, pid)| Some((name, pid?))).collect()
    }
}
