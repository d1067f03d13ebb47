//! `outbox-relay`: publishes the outboxes of the databases in its settings.

mod broker;
mod databases;
mod secrets;

use std::{path::PathBuf, time::Duration};

use anyhow::Context;
use audit_log::{Act, Actor, Ended, Recorder};
use chrono::{DateTime, Utc};
use clap::{Args, Parser, Subcommand};
use metrics_exporter_prometheus::PrometheusHandle;
use outbox::kafka::Kafka;
use outbox_relay::{BATCH_ROWS, Relay, Settings, Span, Timing};
use process::{
    config::Http,
    health::{Health, Progress},
    ops::{self, Routes},
    security,
    shutdown::Shutdown,
    telemetry,
};
use tokio::task::JoinSet;
use transport::Transport;

use crate::{
    broker::Broker,
    databases::{Binding, Given},
    secrets::without_passwords,
};

/// Publishes services' outboxes to Kafka: in order, at least once.
///
/// Serves every database named by a variable DATABASE_URL_<NAME>, and those given with --database. Any number of relays may
/// run: one leads each database, the others stand by.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Serve,
}

#[derive(Subcommand)]
enum Command {
    /// Publishes the retained events of a time span again, in order. Moves no cursor.
    Replay(Replay),
}

#[derive(Args)]
struct Serve {
    /// A database to serve; may be repeated.
    #[arg(long = "database", value_name = "NAME=URL")]
    databases: Vec<Given>,
    /// The publisher that each database belongs to, for all databases. A row that names another is not published, and no later
    /// row passes it. Defaults to the publisher that each database declares.
    #[arg(
        long,
        env = "RELAY_PUBLISHERS",
        hide_env_values = true,
        value_name = "NAME=PUBLISHER,…",
        value_delimiter = ','
    )]
    publishers: Vec<Binding>,
    /// Lease in milliseconds: a leader that does not renew it for this long loses leadership.
    #[arg(long, env = "RELAY_LEASE_MS", hide_env_values = true, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1_000..=600_000))]
    lease_ms: u64,
    /// Time in milliseconds that a broker may take to acknowledge before the request is repeated; set it longer than the
    /// cluster takes to replace a broker. A partition that acknowledges nothing for a good quarter of it, while the cluster
    /// answers, is left behind.
    #[arg(long, env = "RELAY_ACK_TIMEOUT_MS", hide_env_values = true, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1_000..=600_000))]
    ack_timeout_ms: u64,
    /// Maximum pause between two polls of a quiet outbox, in milliseconds; a notification ends the pause at once.
    #[arg(long, env = "RELAY_MAX_POLL_MS", hide_env_values = true, default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..=60_000))]
    max_poll_ms: u64,
    /// Maximum number of rows read at once and sent in one request.
    #[arg(long, env = "RELAY_BATCH_MAX", hide_env_values = true, default_value_t = BATCH_ROWS, value_parser = clap::value_parser!(i64).range(1..=10_000))]
    batch_max: i64,
    #[command(flatten)]
    kafka: Kafka,
    #[command(flatten)]
    http: Http,
    #[command(flatten)]
    security: transport::Settings,
    /// Directory with a directory of certificates for each database, named after it: what the relay shows to Kafka and to the
    /// database for this database alone. Without it, TLS_DIR serves all of them.
    #[arg(long, env = "RELAY_TLS_DIR", hide_env_values = true, value_name = "DIRECTORY")]
    relay_tls_dir: Option<PathBuf>,
}

#[derive(Args)]
struct Replay {
    /// Events written at or after this time, e.g. 2025-01-31T12:00:00Z.
    #[arg(long)]
    since: DateTime<Utc>,
    /// Events written before this time; defaults to now.
    #[arg(long)]
    until: Option<DateTime<Utc>>,
    /// postgres://user:password@host:port/database
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database_url: Given,
    /// The publisher that the database belongs to. Defaults to the entry of RELAY_PUBLISHERS for the database name in the URL,
    /// so set it if the names differ; without RELAY_PUBLISHERS, to the publisher that the database declares. Nothing is
    /// published from rows that name another.
    #[arg(long)]
    publisher: Option<String>,
    #[arg(
        long,
        env = "RELAY_PUBLISHERS",
        hide_env_values = true,
        value_name = "NAME=PUBLISHER,…",
        value_delimiter = ',',
        hide = true
    )]
    publishers: Vec<Binding>,
    /// Reason for the replay, for the audit log.
    #[arg(long, default_value = "")]
    note: String,
    #[command(flatten)]
    kafka: Kafka,
    #[command(flatten)]
    security: transport::Settings,
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::try_parse().unwrap_or_else(|error| refuse(&error));
    process::main(async {
        let metrics = telemetry::init()?;
        match cli.command {
            Some(Command::Replay(options)) => replay(options).await,
            None => serve(cli.serve, metrics).await,
        }
    })
}

/// Ends the program as clap does, but repeats no password.
fn refuse(error: &clap::Error) -> ! {
    if !error.use_stderr() {
        error.exit();
    }
    eprint!("{}", without_passwords(&error.to_string()));
    std::process::exit(error.exit_code())
}

async fn serve(options: Serve, metrics: PrometheusHandle) -> anyhow::Result<()> {
    let transport = security::open(&options.security)?;
    let settings = settings(&options, &transport)?;
    // Any of its identities may ask whether the broker answers.
    let any = settings.first().map(|settings| settings.kafka.clone());
    let broker = Broker::new(any.unwrap_or_else(|| options.kafka.clone().over(&transport)))?;
    let relays = Relay::all(settings);
    let shutdown = Shutdown::on_signals()?;
    let health = Health::default();
    let routes = Routes { operations: ops::routes(health.clone(), metrics, &transport), ..Routes::default() };

    let mut running = JoinSet::new();
    running.spawn(judge(health, relays.clone(), broker, shutdown.clone()));
    running.spawn({
        let shutdown = shutdown.clone();
        async move { ops::serve(&options.http, &transport, routes, shutdown).await }
    });
    for relay in relays {
        let shutdown = shutdown.clone();
        running.spawn(async move {
            relay.run(&shutdown).await;
            Ok(())
        });
    }
    // All end with the shutdown. One that fails or panics earlier ends the process, so that its supervisor restarts it.
    while let Some(ended) = running.join_next().await {
        ended.context("a task of the relay panicked")??;
    }
    Ok(())
}

/// Settings of each database's relay.
fn settings(options: &Serve, transport: &Transport) -> anyhow::Result<Vec<Settings>> {
    databases::check(&options.publishers)?;
    let timing = Timing {
        lease: Duration::from_millis(options.lease_ms),
        max_poll: Duration::from_millis(options.max_poll_ms),
        acknowledged_within: Duration::from_millis(options.ack_timeout_ms),
    };
    let databases = databases::all(std::env::vars(), &options.databases, transport)?;
    let settings = databases.into_iter().map(|(database, url)| {
        let own = own_transport(options, transport, &database)?;
        Ok(Settings {
            publisher: databases::publisher_of(&options.publishers, &database)?,
            options: own.present(url),
            kafka: as_principal_of(&options.kafka, &database)?.over(&own),
            timing,
            batch_max: options.batch_max,
            database,
        })
    });
    settings.collect()
}

/// The certificates that the relay shows for one database.
fn own_transport(options: &Serve, transport: &Transport, database: &str) -> anyhow::Result<Transport> {
    let Some(all) = &options.relay_tls_dir else { return Ok(transport.clone()) };
    let settings = transport::Settings { security: options.security.security, tls_dir: Some(all.join(database)) };
    settings.open().with_context(|| format!("RELAY_TLS_DIR: the certificates for the database {database}"))
}

/// Settings of Kafka for one database: the relay is another principal for each.
fn as_principal_of(kafka: &Kafka, database: &str) -> anyhow::Result<Kafka> {
    let kafka_sasl = kafka.kafka_sasl.of_database(database).map_err(anyhow::Error::msg)?;
    Ok(Kafka { kafka_sasl, ..kafka.clone() })
}

/// Updates readiness: the relay leads or stands by for each database, each led database makes progress, and the broker
/// answers. The body of `/readyz` names each database that is not ready, and the reason.
async fn judge(health: Health, relays: Vec<Relay>, mut broker: Broker, shutdown: Shutdown) -> anyhow::Result<()> {
    let watched: Vec<(Relay, Progress)> = relays
        .into_iter()
        .map(|relay| {
            // Once for each database, for as long as the process lives.
            let name: &'static str = format!("database {}", relay.database()).leak();
            let progress = health.watch(name, relay.patience());
            (relay, progress)
        })
        .collect();
    let answers = health.watch("broker", 2 * broker::ANSWER_WITHIN);
    while shutdown.sleep(Duration::from_millis(200)).await {
        for (relay, progress) in &watched {
            match relay.trouble() {
                None => progress.round(),
                Some(trouble) if relay.is_alive() => progress.waiting(trouble),
                Some(_) => {}
            }
        }
        match broker.answers().await {
            true => answers.round(),
            false => answers.waiting("it does not answer"),
        }
    }
    Ok(())
}

async fn replay(options: Replay) -> anyhow::Result<()> {
    let span = Span { since: options.since, until: options.until.unwrap_or_else(Utc::now) };
    let transport = security::open(&options.security)?;
    let database = options.database_url.url(&transport)?;
    let publisher = match options.publisher {
        Some(publisher) => Some(publisher),
        None => databases::publisher_of(&options.publishers, database.get_database().unwrap_or_default())?,
    };
    let kafka = as_principal_of(&options.kafka, database.get_database().unwrap_or_default())?;
    let cluster = kafka.over(&transport);
    let recorder = Recorder::of_the_process(&cluster)?;
    let name = database.get_database().unwrap_or_default();
    let act = Act::new(Actor::of_the_process(&transport), "relay.replay", "database", name).because(options.note);
    let act = act.with(serde_json::json!({ "since": span.since, "until": span.until, "publisher": publisher }));
    let replay = async { anyhow::Ok(outbox_relay::replay(&database, &cluster, publisher.as_deref(), span).await?) };
    let events = recorder.audited(&act, replay, |events| Ended::done(format!("{events} events"))).await?;
    tracing::info!(events, since = %span.since, until = %span.until, "replay done: the events are published again");
    Ok(())
}
