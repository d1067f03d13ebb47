//! A service as a program: everything from start to stop.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use axum::{Json, Router, routing::get};
use chrono::Utc;
use metrics_exporter_prometheus::PrometheusHandle;
use process::{
    Backoff, ops,
    supervision::{STOP_WITHIN, Tasks},
    telemetry,
};
use sqlx::migrate::Migrator;

use crate::{
    choreography::{self, Part},
    health::{Health, Progress},
    runtime::{
        attempts::{self, Outside, RetryPolicy},
        config::Config,
        consumer::{self, Consumer},
        dead_letter::{self, DeadLetters},
        memory::{self, Sufficiency},
        migration::{self, migrate},
        parked,
        timer::{self, Deadlines},
        topics,
        unit_of_work::UnitOfWork,
        upkeep::{self, Retention},
        wake::{self, Wake},
    },
    service::Service,
    sessions::Sessions,
    shutdown::{Shutdown, Stop},
};

/// Builder for a service's program, used in its `main`.
pub struct Program<S: Service> {
    config: Config,
    work: UnitOfWork<S>,
    migrations: &'static Migrator,
    routes: Router,
    tasks: Vec<(&'static str, Task)>,
    health: Health,
    stop: Stop,
    shutdown: Shutdown,
    metrics: PrometheusHandle,
}

type Task = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

/// Time that the tasks get to stop after one of them has failed.
const STOP_AFTER_FAILURE: Duration = Duration::from_secs(2);
/// Bound for upkeep at the start.
const UPKEEP_WITHIN: Duration = Duration::from_secs(30);

impl<S: Service> Program<S> {
    /// Starts logging and prepares the connection pool; connects to nothing yet.
    ///
    /// # Errors
    /// An invalid table or setting; the error says what to change.
    pub fn new(service: S, config: Config, migrations: &'static Migrator) -> anyhow::Result<Self> {
        let metrics = telemetry::init()?;
        let table = S::table();
        table.check().map_err(anyhow::Error::msg)?;
        anyhow::ensure!(
            table.service() == S::PUBLISHER && S::NAME == S::PUBLISHER.name(),
            "the service `{}` publishes as `{}`, and its table belongs to `{}`: give all three the same name",
            S::NAME,
            S::PUBLISHER,
            table.service()
        );
        config.drill()?;
        let (stop, shutdown) = Shutdown::on_signals_or_by_hand()?;
        let sessions = config.database.sessions(S::NAME)?;
        Ok(Program {
            work: UnitOfWork::new(Arc::new(service), sessions, Wake::default()),
            config,
            migrations,
            routes: Router::new(),
            tasks: Vec::new(),
            health: Health::default(),
            stop,
            shutdown,
            metrics,
        })
    }

    /// Unit of work for the service's own routes and workers.
    pub fn work(&self) -> UnitOfWork<S> {
        self.work.clone()
    }

    /// Serves these routes beside the operational ones.
    #[must_use]
    pub fn routes(mut self, routes: Router) -> Self {
        self.routes = self.routes.merge(routes);
        self
    }

    /// Makes the calls that decisions ask for.
    #[must_use]
    pub fn outside(mut self, outside: impl Outside<S::Command>, policy: RetryPolicy) -> Self {
        let (work, shutdown) = (self.work.clone(), self.shutdown.clone());
        let progress = self.watch("attempts", Duration::ZERO);
        let calling = attempts::run_watched(work, Arc::new(outside), policy, progress, shutdown);
        self.tasks.push(("attempts", Box::pin(calling)));
        self
    }

    /// Checks for due commands every `period`.
    #[must_use]
    pub fn deadlines(mut self, deadlines: impl Deadlines<S::Command>, period: Duration) -> Self {
        let (work, shutdown) = (self.work.clone(), self.shutdown.clone());
        let progress = self.watch("timer", period);
        self.tasks.push(("timer", Box::pin(timer::run(work, deadlines, period, progress, shutdown))));
        self
    }

    /// Watches a loop that pauses for at most `pause` between rounds. A round waits for the database a few times.
    fn watch(&self, name: &'static str, pause: Duration) -> Progress {
        self.health.watch(name, pause + 3 * self.work.sessions().bound())
    }

    /// Runs until SIGTERM or SIGINT, then stops within [`STOP_WITHIN`]. Waits for a database or a broker that is
    /// unavailable at the start.
    ///
    /// # Errors
    /// A setting that would do harm, a port that is taken, a failed task, or a fatal consumer error.
    pub async fn run(mut self) -> anyhow::Result<()> {
        let mut tasks = Tasks::default();
        let (stop, shutdown) = (self.stop.clone(), self.shutdown.clone());
        let sessions = self.work.sessions().clone();
        if let Err(error) = self.go(&mut tasks).await {
            stop.now();
            if let Err(error) = tasks.finish(STOP_AFTER_FAILURE).await {
                tracing::warn!(error = %format!("{error:#}"), "the program did not stop cleanly");
            }
            return Err(error);
        }
        debug_assert!(shutdown.is_requested());
        tasks.finish(STOP_WITHIN).await?;
        sessions.close().await;
        tracing::info!(service = S::NAME, "service stopped");
        Ok(())
    }

    /// Starts everything, and returns when a shutdown has been requested.
    async fn go(&mut self, tasks: &mut Tasks) -> anyhow::Result<()> {
        let (config, work, shutdown) = (self.config.clone(), self.work.clone(), self.shutdown.clone());
        let consuming = self.health.watch("consumer", consumer::POLL + 3 * work.sessions().bound());
        tasks.spawn("the HTTP server", {
            let (http, shutdown) = (config.http.clone(), shutdown.clone());
            let routes = ops::routes(self.health.clone(), self.metrics.clone()).merge(std::mem::take(&mut self.routes));
            let routes = routes.route(choreography::PATH, get(async || Json(Part::from(&S::table()))));
            async move { ops::serve(&http, routes, shutdown).await }
        });

        tokio::select! {
            // Fails only for what will not pass by itself.
            prepared = prepare::<S>(&config, work.sessions(), self.migrations, &consuming) => prepared?,
            failure = tasks.failed(&shutdown) => return Err(failure),
            () = shutdown.requested() => return Ok(()),
        }
        let pool = work.pool().clone();
        let endless = |task: Task| async move {
            task.await;
            Ok(())
        };
        let upkeep = upkeep::run(pool, Retention::from(&config), shutdown.clone());
        tasks.spawn("upkeep", endless(Box::pin(upkeep)));
        let (wake, progress) = (work.wake().clone(), self.watch("wake", wake::IDLE));
        let waking = wake::notify_relay(wake, work.sessions().clone(), progress, shutdown.clone());
        tasks.spawn("waking the relay", endless(Box::pin(waking)));
        for (name, task) in self.tasks.drain(..) {
            tasks.spawn(name, endless(task));
        }
        let dead_letters = DeadLetters::default();
        let letters = dead_letter::run(
            work.sessions().clone(),
            dead_letters.clone(),
            config.kafka.producer(S::NAME),
            S::NAME,
            self.watch("dead letters", dead_letter::ROUND),
            shutdown.clone(),
        );
        tasks.spawn("dead letters", endless(Box::pin(letters)));
        let progress = self.watch("parked work", parked::LOOK);
        let parked = parked::run(work.clone(), dead_letters.clone(), progress, shutdown.clone());
        tasks.spawn("parked work", endless(Box::pin(parked)));

        let consumer = Consumer::new(&config, work, dead_letters, consuming, shutdown.clone())?;
        tracing::info!(service = S::NAME, "service started; consuming");
        let (ended, consumed) = tokio::sync::oneshot::channel();
        std::thread::Builder::new()
            .name("consumer".into())
            .spawn(move || {
                // The receiver is gone only if the program is ending.
                let _ = ended.send(consumer.run());
            })
            .context("starting the consumer's thread")?;
        // Without a message the thread has panicked.
        tasks.spawn("the consumer", async move { consumed.await.context("the consumer's thread has panicked")? });

        tokio::select! {
            failure = tasks.failed(&shutdown) => Err(failure),
            () = shutdown.requested() => Ok(()),
        }
    }
}

/// Prepares everything that must exist before the first event: tables, partitions, topics. Waits for what is unavailable;
/// an error is a setting that would do harm.
async fn prepare<S: Service>(
    config: &Config,
    sessions: &Sessions,
    migrations: &Migrator,
    progress: &Progress,
) -> anyhow::Result<()> {
    let topics = topics::needed_by(&S::table());
    let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(3));
    loop {
        let preparing = prepare_once::<S>(config, sessions, migrations, &topics);
        match alive("not started: preparing", progress, preparing).await {
            Ok(memory) => return accept::<S>(config, memory),
            Err(error) if is_harmful(&error) => return Err(error),
            Err(error) => {
                tracing::warn!(error = %format!("{error:#}"), "not started yet; retrying");
                progress.waiting(format!("not started: {error:#}"));
                tokio::time::sleep(backoff.delay()).await;
            }
        }
    }
}

/// Marks liveness during work that may take long and has a bound of its own.
async fn alive<T>(what: &str, progress: &Progress, work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            done = work.as_mut() => return done,
            () = tokio::time::sleep(Duration::from_secs(1)) => progress.waiting(what),
        }
    }
}

/// Returns whether the error is a setting that no retry changes, such as a database that belongs to another service.
fn is_harmful(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref::<sqlx::Error>(), Some(sqlx::Error::Configuration(_)))
}

async fn prepare_once<S: Service>(
    config: &Config,
    sessions: &Sessions,
    migrations: &Migrator,
    topics: &[String],
) -> anyhow::Result<Sufficiency> {
    let pool = sessions.pool();
    if !sessions.bounded(migration::is_done(pool, migrations)).await.context("querying the applied migrations")? {
        let migrating = async { migrate(pool, migrations).await.map_err(migration::Failed::Migration) };
        sessions.bounded_by(migration::BOUND, migrating).await?;
    }
    let publisher = S::table().service().name();
    sessions.bounded(outbox::declare(pool, publisher)).await.context("declaring the outbox's publisher")?;
    // No need to wait: without a partition for its day, a row goes to the default partition.
    let upkeep = tokio::time::timeout(UPKEEP_WITHIN, upkeep::round(pool, Retention::from(config), Utc::now()));
    let compared = async {
        topics::ensure(&config.kafka, S::NAME, topics).await?;
        memory::compare(&config.kafka, S::NAME, &S::table().topics(), Retention::from(config)).await
    };
    let (_, memory) = tokio::join!(upkeep, compared);
    memory
}

/// Refuses to start if redelivered events could be applied twice.
fn accept<S: Service>(config: &Config, memory: Sufficiency) -> anyhow::Result<()> {
    let (service, hours) = (S::NAME, config.inbox_retention_hours);
    match memory {
        Sufficiency::Long => {}
        Sufficiency::Unknown => {
            tracing::debug!(service, "the broker does not report its topics' retention; the inbox's is unchecked")
        }
        Sufficiency::NeverLong { topics } => tracing::warn!(
            service,
            topics = topics.join(" "),
            hours,
            "topics retain events for ever, but the inbox only for these hours: an event read again later would be applied twice"
        ),
        Sufficiency::ShortForReplays(why) => {
            tracing::warn!(service, why, "INBOX_RETENTION_HOURS is too short for some replays")
        }
        Sufficiency::TooShort(why) => anyhow::bail!(why),
    }
    Ok(())
}
