//! A service's program from its start to its stop.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use axum::{Json, Router, routing::get};
use futures::future::BoxFuture;
use metrics_exporter_prometheus::PrometheusHandle;
use process::{
    ops::{self, Routes},
    security,
    supervision::{STOP_WITHIN, Tasks},
    telemetry,
};
use sqlx::migrate::Migrator;
use transport::Transport;

use crate::{
    choreography::{self, Part},
    health::{Health, Progress},
    runtime::{
        config::Config,
        consumer::{self, Consumer},
        dead_letter::{self, DeadLetters},
        erased::ErasedService,
        parked,
        prepare::prepare,
        roles::{self, Ownership},
        upkeep::{self, Retention},
        wake::{self, Wake},
        work::Work,
    },
    shutdown::{Shutdown, Stop},
};

/// Everything that a program runs.
pub(crate) struct Launch {
    config: Config,
    transport: Transport,
    work: Work,
    migrations: &'static Migrator,
    grants: &'static str,
    routes: Router,
    operations: Router,
    /// True if its own routes know clients by their tokens.
    tokens: bool,
    tasks: Vec<(&'static str, Task)>,
    health: Health,
    stop: Stop,
    shutdown: Shutdown,
    metrics: PrometheusHandle,
}

type Task = BoxFuture<'static, ()>;

/// Time that the tasks get to stop after one of them has failed.
const STOP_AFTER_FAILURE: Duration = Duration::from_secs(2);

impl Launch {
    /// Starts logging and prepares the connection pool.
    ///
    /// # Errors
    /// An invalid table or setting.
    pub(crate) fn new(
        service: Arc<dyn ErasedService>,
        config: Config,
        migrations: &'static Migrator,
    ) -> anyhow::Result<Self> {
        let metrics = telemetry::init()?;
        let table = service.table();
        table.check().map_err(anyhow::Error::msg)?;
        let (name, publisher) = (service.name(), service.publisher());
        anyhow::ensure!(
            table.service() == publisher && name == publisher.name(),
            "the service `{name}` publishes as `{publisher}`, and its table belongs to `{}`: give all three the same name",
            table.service()
        );
        config.drill()?;
        let (stop, shutdown) = Shutdown::on_signals_or_by_hand()?;
        let transport = security::open(&config.security)?;
        let sessions = config.database.sessions(name, &transport)?;
        Ok(Launch {
            work: Work::new(service, sessions, Wake::default()),
            config,
            transport,
            migrations,
            grants: "",
            routes: Router::new(),
            operations: Router::new(),
            tokens: false,
            tasks: Vec::new(),
            health: Health::default(),
            stop,
            shutdown,
            metrics,
        })
    }

    pub(crate) fn work(&self) -> &Work {
        &self.work
    }

    pub(crate) fn transport(&self) -> &Transport {
        &self.transport
    }

    /// Admits clients without a certificate to the service's own routes, which know them by their tokens.
    pub(crate) fn admit_by_token(&mut self) {
        self.tokens = true;
    }

    /// Grants these rights after the migrations.
    pub(crate) fn grant(&mut self, grants: &'static str) {
        self.grants = grants;
    }

    /// Serves these routes beside the operational ones, for operators alone.
    pub(crate) fn operate(&mut self, routes: Router) {
        self.operations = std::mem::take(&mut self.operations).merge(routes);
    }

    /// Serves these routes too.
    pub(crate) fn serve(&mut self, routes: Router) {
        self.routes = std::mem::take(&mut self.routes).merge(routes);
    }

    /// Adds a task that runs once everything is prepared, and pauses for at most `pause` between rounds.
    pub(crate) fn task(
        &mut self,
        name: &'static str,
        pause: Duration,
        task: impl FnOnce(Work, Progress, Shutdown) -> Task,
    ) {
        let progress = self.watch(name, pause);
        self.tasks.push((name, task(self.work.clone(), progress, self.shutdown.clone())));
    }

    /// Watches a loop that pauses for at most `pause` between rounds. A round waits for the database a few times.
    fn watch(&self, name: &'static str, pause: Duration) -> Progress {
        self.health.watch(name, pause + 3 * self.work.sessions().bound())
    }

    /// Runs until SIGTERM or SIGINT.
    pub(crate) fn run(self) -> BoxFuture<'static, anyhow::Result<()>> {
        Box::pin(self.until_stopped())
    }

    /// Runs until SIGTERM or SIGINT, then stops within [`STOP_WITHIN`]. Waits for a database or a broker that is
    /// unavailable at the start.
    ///
    /// # Errors
    /// A setting that would do harm, a port that is taken, a failed task, or a fatal consumer error.
    async fn until_stopped(mut self) -> anyhow::Result<()> {
        let mut tasks = Tasks::default();
        let (stop, shutdown) = (self.stop.clone(), self.shutdown.clone());
        let sessions = self.work.sessions().clone();
        if self.config.roles.migrate_only {
            let ownership = Ownership::new(&self.config, self.migrations, self.grants);
            return tokio::select! {
                migrated = roles::migrate_only(ownership, &self.config, self.work.name()) => migrated,
                () = shutdown.requested() => anyhow::bail!("stopped before the database was migrated"),
            };
        }
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
        tracing::info!(service = self.work.name(), "service stopped");
        Ok(())
    }

    /// Starts everything, and returns when a shutdown has been requested.
    async fn go(&mut self, tasks: &mut Tasks) -> anyhow::Result<()> {
        let (config, work, shutdown) = (self.config.clone(), self.work.clone(), self.shutdown.clone());
        let (transport, cluster) = (self.transport.clone(), config.kafka.clone().over(&self.transport));
        let table = work.service().table();
        let consuming = self.health.watch("consumer", consumer::POLL + 3 * work.sessions().bound());
        tasks.spawn("the HTTP server", {
            let (http, shutdown) = (config.http.clone(), shutdown.clone());
            let operations = ops::routes(self.health.clone(), self.metrics.clone(), &transport);
            let operations = operations.merge(std::mem::take(&mut self.operations));
            let part = Part::from(&table);
            let operations = operations.route(choreography::PATH, get(async move || Json(part.clone())));
            let routes = Routes { operations, own: std::mem::take(&mut self.routes), tokens: self.tokens };
            let transport = transport.clone();
            async move { ops::serve(&http, &transport, routes, shutdown).await }
        });

        let ownership = Ownership::new(&config, self.migrations, self.grants);
        tokio::select! {
            // Fails only for what will not pass by itself.
            prepared = prepare(&table, &config, &cluster, work.sessions(), ownership, &consuming) => prepared?,
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
            cluster.clone(),
            work.name(),
            self.watch("dead letters", dead_letter::ROUND),
            shutdown.clone(),
        );
        tasks.spawn("dead letters", endless(Box::pin(letters)));
        let progress = self.watch("parked work", parked::LOOK);
        let parked = parked::run(work.clone(), dead_letters.clone(), progress, shutdown.clone());
        tasks.spawn("parked work", endless(Box::pin(parked)));

        let consumer = Consumer::new(&config, cluster, work, dead_letters, consuming, shutdown.clone())?;
        tracing::info!(service = self.work.name(), "service started; consuming");
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
