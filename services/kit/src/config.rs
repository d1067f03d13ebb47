//! What a program of ours is told by its environment or its command line.

use std::{net::SocketAddr, time::Duration};

use clap::Args;
use rdkafka::ClientConfig;
use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::PgConnectOptions;

use crate::sessions::{self, Sessions};

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
    /// `allowed` where faults may be put in on purpose.
    #[arg(long, env = "DRILLS", value_name = "allowed", hide = true)]
    pub drills: Option<String>,
    /// Hours for which an event that has been seen is remembered: longer than the topics keep events, and than outboxes do
    /// on top of that.
    #[arg(long, env = "INBOX_RETENTION_HOURS", default_value_t = 24 * 17)]
    pub inbox_retention_hours: u32,
    /// Hours for which published events stay in the outbox, to be replayed.
    #[arg(long, env = "OUTBOX_RETENTION_HOURS", default_value_t = 24 * 7)]
    pub outbox_retention_hours: u32,
}

impl Config {
    /// The event that the service shall not react to, for a drill.
    ///
    /// # Errors
    /// If drills are not allowed here: a setting that was left over, or meant for somewhere else.
    pub fn drill(&self) -> anyhow::Result<Option<&str>> {
        let event_type = self.without_reaction_to.as_deref().filter(|event_type| !event_type.is_empty());
        anyhow::ensure!(
            event_type.is_none() || self.drills.as_deref() == Some("allowed"),
            "WITHOUT_REACTION_TO takes a reaction away, so that sagas come to a stop. Unset it, or set DRILLS=allowed as \
             well where that is wanted"
        );
        Ok(event_type)
    }
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
    /// Milliseconds after which a database that does not answer counts as away, and its connections are replaced. The server
    /// is told a little less: it ends sessions that idle in a transaction after 6/10 of it, waits for locks after 8/10,
    /// statements after 9/10.
    #[arg(long, env = "DATABASE_TIMEOUT_MS", default_value_t = 5000, value_parser = clap::value_parser!(u64).range(500..=600_000))]
    pub database_timeout_ms: u64,
    /// Sets these time-outs when a session starts. A pooler such as PgBouncer may refuse that: then set them for the role
    /// (`alter role … set statement_timeout = …`) and this to `false`.
    #[arg(long, env = "DATABASE_SESSION_TIMEOUTS", default_value_t = true, action = clap::ArgAction::Set)]
    pub database_session_timeouts: bool,
}

impl Database {
    /// Sessions that connect when they are first used; a database that is not there yet is waited for by whoever asks.
    pub fn sessions(&self, program: &str) -> anyhow::Result<Sessions> {
        let (options, bound) = self.options(program)?;
        Ok(Sessions::new(options, self.database_pool, bound))
    }

    /// As [`sessions`](Self::sessions), at most so many, and kept for good. They belong to the runtime that this is called in.
    pub(crate) fn lasting_sessions(&self, most: u32, program: &str) -> anyhow::Result<Sessions> {
        let (options, bound) = self.options(program)?;
        Ok(Sessions::lasting(options, most, bound))
    }

    fn options(&self, program: &str) -> anyhow::Result<(PgConnectOptions, Duration)> {
        let bound = Duration::from_millis(self.database_timeout_ms);
        let options = postgres_url(self.database_url.expose_secret()).map_err(anyhow::Error::msg)?;
        let options = options.application_name(program);
        let options = if self.database_session_timeouts { sessions::with_settings(options, bound) } else { options };
        Ok((options, bound))
    }
}

/// Reads a URL of a database. The error does not repeat it: there is a password in it.
///
/// # Errors
/// What is wrong, in words that may be logged.
pub fn postgres_url(url: &str) -> Result<PgConnectOptions, String> {
    let form = "the database's URL is not of the form postgres://user:password@host:port/database";
    if !(url.starts_with("postgres://") || url.starts_with("postgresql://")) {
        return Err(form.to_owned());
    }
    url.parse().map_err(|_| form.to_owned())
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
    /// Copies of a topic that has to be created, a majority of which has to have a record. If unset, three where there are
    /// that many brokers, and else one.
    #[arg(long, env = "KAFKA_REPLICATION", value_parser = clap::value_parser!(i32).range(1..=32_000))]
    pub kafka_replication: Option<i32>,
    /// A name that stays the same over restarts and is this process's alone: killed and started again, it gets its partitions
    /// back at once. `@hostname` stands for the name of the machine, which in a container is the container's own.
    #[arg(long, env = "KAFKA_INSTANCE_ID", value_parser = instance_id)]
    pub kafka_instance_id: Option<String>,
}

/// The name of the machine, where that is what was asked for.
fn instance_id(text: &str) -> Result<String, String> {
    match text {
        "@hostname" => {
            let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
            let name = name.trim();
            if name.is_empty() { Err("this machine does not tell its name".to_owned()) } else { Ok(name.to_owned()) }
        }
        "" => Err("an empty name is nobody's".to_owned()),
        name => Ok(name.to_owned()),
    }
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
            // A broker that comes back is found within a second. Asking a closed port twice a second costs nothing.
            .set("reconnect.backoff.max.ms", "500")
            // By default a connection that has fallen silent is noticed after a minute; a broker that thinks for longer than
            // this is asked again.
            .set("socket.timeout.ms", "6000")
            .set("socket.connection.setup.timeout.ms", "3000")
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

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        kit: Config,
    }

    fn drill(settings: &[&str]) -> anyhow::Result<Option<String>> {
        let needed = ["program", "--database-url", "postgres://a@b/c", "--kafka-brokers", "k:1"];
        let config = Program::parse_from(needed.iter().chain(settings)).kit;
        config.drill().map(|event_type| event_type.map(str::to_owned))
    }

    #[test]
    fn a_reaction_is_taken_away_only_where_drills_are_allowed() {
        let taken_away = ["--without-reaction-to", "PaymentVoided"];
        let allowed = [&taken_away[..], &["--drills", "allowed"]].concat();
        assert_eq!(drill(&allowed).expect("allowed").as_deref(), Some("PaymentVoided"));
        for refused in [&taken_away[..], &[&taken_away[..], &["--drills", "no"]].concat()] {
            assert!(drill(refused).expect_err("refused").to_string().contains("DRILLS=allowed"));
        }
        assert_eq!(drill(&["--without-reaction-to", ""]).expect("nothing is asked for"), None);
    }

    #[test]
    fn an_instance_is_named_by_a_word_or_by_its_machine() {
        assert_eq!(instance_id("order-1").as_deref(), Ok("order-1"));
        assert!(instance_id("").is_err());
        let name = instance_id("@hostname").expect("this machine has a name");
        assert!(!name.is_empty() && !name.contains(['@', '\n']), "{name}");
    }
}
