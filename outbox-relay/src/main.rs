//! `outbox-relay`: publishes the outboxes of all databases that it is given.

mod broker;
mod databases;

use std::time::Duration;

use anyhow::Context;
use chrono::{DateTime, Utc};
use clap::{Args, Parser, Subcommand};
use kit::{
    config::{Http, Kafka},
    ops::{self, Readiness},
    shutdown::Shutdown,
    telemetry,
};
use metrics_exporter_prometheus::PrometheusHandle;
use outbox_relay::{BATCH_ROWS, Relay, Span, Standing, Timing};
use sqlx::postgres::PgConnectOptions;
use tokio::task::JoinSet;

use crate::{broker::Broker, databases::Named};

/// Publishes what services have written into their outboxes, in order, at least once.
///
/// Serves every database named by a variable DATABASE_URL_<NAME>, and those given with --database. Any number may run:
/// one leads each database, the others stand by.
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
    /// Publishes the retained events of a span of time again, in their order. Moves no cursor.
    Replay(Replay),
}

#[derive(Args)]
struct Serve {
    /// A database to serve; may be repeated.
    #[arg(long = "database", value_name = "NAME=URL")]
    databases: Vec<Named>,
    /// How long a relay that says nothing still counts as the leader.
    #[arg(long, env = "RELAY_LEASE_MS", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1_000..=600_000))]
    lease_ms: u64,
    /// The longest pause between two looks at a quiet outbox; a notification ends it at once.
    #[arg(long, env = "RELAY_MAX_POLL_MS", default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..=60_000))]
    max_poll_ms: u64,
    /// Rows that are read at once and sent in one request, at most.
    #[arg(long, env = "RELAY_BATCH_MAX", default_value_t = BATCH_ROWS, value_parser = clap::value_parser!(i64).range(1..=10_000))]
    batch_max: i64,
    #[command(flatten)]
    kafka: Kafka,
    #[command(flatten)]
    http: Http,
}

#[derive(Args)]
struct Replay {
    /// Events written at or after this time, e.g. 2025-01-31T12:00:00Z.
    #[arg(long)]
    since: DateTime<Utc>,
    /// Events written before this time; if unset, until now.
    #[arg(long)]
    until: Option<DateTime<Utc>>,
    /// postgres://user:password@host:port/database
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_parser = databases::parse_url)]
    database_url: PgConnectOptions,
    #[command(flatten)]
    kafka: Kafka,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let metrics = telemetry::init()?;
    match cli.command {
        Some(Command::Replay(options)) => replay(options).await,
        None => serve(cli.serve, metrics).await,
    }
}

async fn serve(options: Serve, metrics: PrometheusHandle) -> anyhow::Result<()> {
    let databases = databases::all(std::env::vars(), options.databases)?;
    let timing =
        Timing { lease: Duration::from_millis(options.lease_ms), max_poll: Duration::from_millis(options.max_poll_ms) };
    let relays: Vec<Relay> = databases
        .into_iter()
        .map(|(name, database)| Relay::in_batches_of(options.batch_max, &name, database, options.kafka.clone(), timing))
        .collect();
    let broker = Broker::new(&options.kafka)?;
    let shutdown = Shutdown::on_signals()?;
    let readiness = Readiness::default();
    let routes = ops::routes(readiness.clone(), metrics);

    let mut running = JoinSet::new();
    running.spawn(judge(readiness, relays.clone(), broker, shutdown.clone()));
    running.spawn({
        let shutdown = shutdown.clone();
        async move { ops::serve(&options.http, routes, shutdown).await }
    });
    for relay in relays {
        let shutdown = shutdown.clone();
        running.spawn(async move {
            relay.run(&shutdown).await;
            Ok(())
        });
    }
    // All end with the shutdown. One that fails or panics before ends the process: whoever started it starts it again.
    while let Some(ended) = running.join_next().await {
        ended.context("a task of the relay panicked")??;
    }
    Ok(())
}

/// Ready: each database is led or stood by, and the broker answers.
async fn judge(readiness: Readiness, relays: Vec<Relay>, mut broker: Broker, shutdown: Shutdown) -> anyhow::Result<()> {
    while shutdown.sleep(Duration::from_millis(200)).await {
        let served = relays.iter().all(|relay| relay.standing() != Standing::Away);
        let answers = broker.answers().await;
        readiness.set(served && answers);
    }
    readiness.set(false);
    Ok(())
}

async fn replay(options: Replay) -> anyhow::Result<()> {
    let span = Span { since: options.since, until: options.until.unwrap_or_else(Utc::now) };
    let events = outbox_relay::replay(&options.database_url, &options.kafka, span).await?;
    tracing::info!(events, since = %span.since, until = %span.until, "published again");
    Ok(())
}
