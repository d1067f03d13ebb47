//! What a program of ours is told by its environment or its command line.

use std::{net::SocketAddr, time::Duration};

use clap::Args;
use rdkafka::ClientConfig;
use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};

/// What every service needs. A service flattens this into its own arguments.
#[derive(Debug, Clone, Args)]
pub struct Config {
    #[command(flatten)]
    pub database: Database,
    #[command(flatten)]
    pub kafka: Kafka,
    #[command(flatten)]
    pub http: Http,
    /// At most this many events share one transaction.
    #[arg(long, env = "BATCH_MAX", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=5000))]
    pub batch_max: u32,
    /// For drills: the service does not react to this event type, as if its compensation had been forgotten.
    #[arg(long, env = "WITHOUT_REACTION_TO", value_name = "EVENT", hide = true)]
    pub without_reaction_to: Option<String>,
    /// Hours for which an event that has been seen is remembered: longer than the topics keep events.
    #[arg(long, env = "INBOX_RETENTION_HOURS", default_value_t = 24 * 14)]
    pub inbox_retention_hours: u32,
    /// Hours for which published events stay in the outbox, to be replayed.
    #[arg(long, env = "OUTBOX_RETENTION_HOURS", default_value_t = 24 * 7)]
    pub outbox_retention_hours: u32,
}

/// Where the service's own rows are.
#[derive(Debug, Clone, Args)]
pub struct Database {
    /// postgres://user:password@host:port/database
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: SecretString,
    /// Connections held at most, beside two of the consumer's own.
    #[arg(long, env = "DATABASE_POOL", default_value_t = 8, value_parser = clap::value_parser!(u32).range(2..=200))]
    pub database_pool: u32,
}

impl Database {
    /// A pool that connects when it is first used; a database that is not there yet is waited for by whoever asks.
    pub fn pool(&self, program: &str) -> anyhow::Result<PgPool> {
        self.pool_of(self.database_pool, program)
    }

    /// As [`pool`](Self::pool), with at most so many connections. They belong to the runtime that this is called in.
    pub(crate) fn pool_of(&self, connections: u32, program: &str) -> anyhow::Result<PgPool> {
        let options: PgConnectOptions = self.database_url.expose_secret().parse().map_err(|error| {
            anyhow::anyhow!("DATABASE_URL is not of the form postgres://user:password@host:port/database: {error}")
        })?;
        Ok(PgPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(Duration::from_secs(10))
            // A connection that has died shows when it is used; asking first would cost every batch a round trip.
            .test_before_acquire(false)
            .connect_lazy_with(options.application_name(program)))
    }
}

/// Where Kafka is, and how topics are made where they are missing.
#[derive(Debug, Clone, Args)]
pub struct Kafka {
    /// host:port, several with commas.
    #[arg(long, env = "KAFKA_BROKERS", value_delimiter = ',', required = true)]
    pub kafka_brokers: Vec<String>,
    /// Partitions of a topic that has to be created.
    #[arg(long, env = "KAFKA_PARTITIONS", default_value_t = 6, value_parser = clap::value_parser!(i32).range(1..=10_000))]
    pub kafka_partitions: i32,
    /// Copies of a topic that has to be created.
    #[arg(long, env = "KAFKA_REPLICATION", default_value_t = 1, value_parser = clap::value_parser!(i32).range(1..=32_000))]
    pub kafka_replication: i32,
    /// A name that stays the same over restarts and is this process's alone: it then gets its partitions back at once.
    #[arg(long, env = "KAFKA_INSTANCE_ID")]
    pub kafka_instance_id: Option<String>,
}

impl Kafka {
    /// What all our clients have in common.
    pub fn client(&self, program: &str) -> ClientConfig {
        let mut client = ClientConfig::new();
        client
            .set("bootstrap.servers", self.kafka_brokers.join(","))
            .set("client.id", program)
            .set("socket.nagle.disable", "true")
            .set("reconnect.backoff.ms", "50")
            .set("reconnect.backoff.max.ms", "2000")
            .set("allow.auto.create.topics", "false");
        client
    }

    /// A producer that loses nothing and keeps the order per key.
    pub fn producer(&self, program: &str) -> ClientConfig {
        let mut client = self.client(program);
        client
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("compression.type", "lz4")
            .set("linger.ms", "0")
            // Java's default, so that other programs find one order's records on the same partition number as we do.
            .set("partitioner", "murmur2_random")
            .set("message.max.bytes", "2000000");
        client
    }
}

/// Where the program answers HTTP.
#[derive(Debug, Clone, Args)]
pub struct Http {
    /// Address for /livez, /readyz, /metrics and what else the program serves.
    #[arg(long, env = "HTTP_ADDR", default_value = "0.0.0.0:8080")]
    pub http_addr: SocketAddr,
}
