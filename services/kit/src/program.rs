//! A service as a program: everything from its start to its end.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use axum::Router;
use chrono::Utc;
use metrics_exporter_prometheus::PrometheusHandle;
use sqlx::{PgPool, migrate::Migrator};
use tokio::task::JoinSet;

use crate::{
    attempts::{self, Outside, RetryPolicy},
    backoff::Backoff,
    config::Config,
    consumer::Consumer,
    dead_letter::DeadLetters,
    memory::{self, Verdict},
    ops::{self, Readiness},
    parked,
    service::Service,
    shutdown::Shutdown,
    telemetry,
    timer::{self, Deadlines},
    topics,
    unit_of_work::UnitOfWork,
    upkeep::{self, Retention},
    wake::{self, Wake},
};

/// A service being put together in its `main`.
pub struct Program<S: Service> {
    config: Config,
    work: UnitOfWork<S>,
    migrations: &'static Migrator,
    routes: Router,
    tasks: Vec<Task>,
    shutdown: Shutdown,
    metrics: PrometheusHandle,
}

type Task = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

impl<S: Service> Program<S> {
    /// Starts logging and prepares the pool; nothing is connected yet.
    pub fn new(service: S, config: Config, migrations: &'static Migrator) -> anyhow::Result<Self> {
        let metrics = telemetry::init()?;
        let shutdown = Shutdown::on_signals()?;
        let pool = config.database.pool(S::NAME)?;
        Ok(Program {
            work: UnitOfWork::new(Arc::new(service), pool, Wake::default()),
            config,
            migrations,
            routes: Router::new(),
            tasks: Vec::new(),
            shutdown,
            metrics,
        })
    }

    /// For routes and workers of the service's own.
    pub fn work(&self) -> UnitOfWork<S> {
        self.work.clone()
    }

    /// Serves these routes beside the operator's.
    #[must_use]
    pub fn routes(mut self, routes: Router) -> Self {
        self.routes = self.routes.merge(routes);
        self
    }

    /// Makes the calls that decisions ask for.
    #[must_use]
    pub fn outside(mut self, outside: impl Outside<S::Command>, policy: RetryPolicy) -> Self {
        let (work, shutdown) = (self.work.clone(), self.shutdown.clone());
        self.tasks.push(Box::pin(attempts::run(work, Arc::new(outside), policy, shutdown)));
        self
    }

    /// Looks for what is due, every `period`.
    #[must_use]
    pub fn deadlines(mut self, deadlines: impl Deadlines<S::Command>, period: Duration) -> Self {
        let (work, shutdown) = (self.work.clone(), self.shutdown.clone());
        self.tasks.push(Box::pin(timer::run(work, deadlines, period, shutdown)));
        self
    }

    /// Runs until SIGTERM or SIGINT. Waits for a database or a broker that is not there yet.
    pub async fn run(self) -> anyhow::Result<()> {
        let Program { config, work, migrations, routes, tasks, shutdown, metrics } = self;
        let readiness = Readiness::default();
        let server = tokio::spawn({
            let (http, shutdown) = (config.http.clone(), shutdown.clone());
            let routes = ops::routes(readiness.clone(), metrics).merge(routes);
            async move { ops::serve(&http, routes, shutdown).await }
        });

        let pool = work.pool().clone();
        let ready = prepare::<S>(&config, &pool, migrations);
        match until_done(ready, &shutdown).await {
            None => return server.await?,
            // Never refused for what may pass.
            Some(prepared) => prepared?,
        }
        let mut background = JoinSet::new();
        background.spawn(upkeep::run(pool.clone(), Retention::from(&config), shutdown.clone()));
        background.spawn(wake::notify_relay(work.wake().clone(), pool.clone(), shutdown.clone()));
        for task in tasks {
            background.spawn(task);
        }

        let dead_letters = DeadLetters::new(config.kafka.producer(S::NAME), S::NAME, shutdown.clone());
        background.spawn(parked::run(work.clone(), dead_letters.clone(), shutdown.clone()));
        let consumer = Consumer::new(&config, work, dead_letters, readiness.clone(), shutdown.clone())?;
        tracing::info!(service = S::NAME, "consuming");
        let (ended, consuming) = tokio::sync::oneshot::channel();
        std::thread::Builder::new()
            .name("consumer".into())
            .spawn(move || {
                // Nobody listens any more only if the program is ending.
                let _ = ended.send(consumer.run());
            })
            .context("starting the consumer's thread")?;

        // The consumer ends well only on shutdown; without a message it has panicked.
        let consumed = consuming.await;
        readiness.set(false);
        consumed.context("the consumer's thread has died")??;
        while background.join_next().await.is_some() {}
        pool.close().await;
        tracing::info!(service = S::NAME, "stopped");
        server.await?
    }
}

/// Everything that must be there before the first event: tables, partitions, topics. Waits for what is not there yet; an
/// error is a setting that would do harm.
async fn prepare<S: Service>(config: &Config, pool: &PgPool, migrations: &Migrator) -> anyhow::Result<()> {
    let topics = topics::needed_by(&S::table());
    let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(3));
    loop {
        match prepare_once::<S>(config, pool, migrations, &topics).await {
            Ok(memory) => return accept::<S>(config, memory),
            Err(error) => {
                tracing::warn!(error = %format!("{error:#}"), "not ready yet; trying again");
                tokio::time::sleep(backoff.delay()).await;
            }
        }
    }
}

async fn prepare_once<S: Service>(
    config: &Config,
    pool: &PgPool,
    migrations: &Migrator,
    topics: &[String],
) -> anyhow::Result<Verdict> {
    migrate(pool, migrations).await?;
    // Without a partition of its day a row goes into the default partition: nothing to wait for.
    upkeep::round(pool, Retention::from(config), Utc::now()).await;
    topics::ensure(&config.kafka, S::NAME, topics).await?;
    memory::compare(&config.kafka, S::NAME, &S::table().topics(), config.inbox_retention_hours).await
}

/// Refuses to start where duplicates could not be told.
fn accept<S: Service>(config: &Config, memory: Verdict) -> anyhow::Result<()> {
    let (service, hours) = (S::NAME, config.inbox_retention_hours);
    match memory {
        Verdict::Long => {}
        Verdict::Unknown => tracing::debug!(service, "the broker does not tell how long its topics keep events"),
        Verdict::NeverLong { topics } => tracing::warn!(
            service,
            topics = topics.join(" "),
            hours,
            "topics keep events for ever, the inbox does not: one that is read again after that counts again"
        ),
        Verdict::TooShort(why) => anyhow::bail!(why),
    }
    Ok(())
}

/// Brings a service's database up to date: the kit's tables first (versions below 1000), then its own.
pub async fn migrate(pool: &PgPool, migrations: &Migrator) -> anyhow::Result<()> {
    // Both keep their versions in one table, so each finds versions there that are not its own.
    sqlx::migrate!("./migrations").set_ignore_missing(true).run(pool).await.context("migrating the kit's tables")?;
    let mut own = Migrator { migrations: migrations.migrations.clone(), ..Migrator::DEFAULT };
    own.set_ignore_missing(true).run(pool).await.context("migrating the service's tables")
}

async fn until_done<T>(work: impl Future<Output = T>, shutdown: &Shutdown) -> Option<T> {
    tokio::select! {
        done = work => Some(done),
        () = shutdown.requested() => None,
    }
}
