//! A service as a program: its builder.

use std::{marker::PhantomData, sync::Arc, time::Duration};

use axum::Router;
use sqlx::migrate::Migrator;
use transport::Transport;

use crate::{
    runtime::{
        attempts::{self, Outside, RetryPolicy},
        config::Config,
        erased::{Typed, TypedOutside},
        launch::Launch,
        timer::{self, Deadlines, Timer},
        unit_of_work::UnitOfWork,
    },
    service::Service,
};

/// Builder for a service's program, used in its `main`.
pub struct Program<S: Service> {
    work: UnitOfWork<S>,
    launch: Launch,
}

impl<S: Service> Program<S> {
    /// Starts logging and prepares the connection pool; connects to nothing yet.
    ///
    /// # Errors
    /// An invalid table or setting; the error says what to change.
    pub fn new(service: S, config: Config, migrations: &'static Migrator) -> anyhow::Result<Self> {
        let launch = Launch::new(Arc::new(Typed(Arc::new(service))), config, migrations)?;
        Ok(Program { work: UnitOfWork::of(launch.work().clone()), launch })
    }

    /// Unit of work for the service's own routes and workers.
    pub fn work(&self) -> UnitOfWork<S> {
        self.work.clone()
    }

    /// Grants these rights on the service's own tables to the database's roles, if there are any: SQL in the form of
    /// [`outbox::roles`]. Without it, only the owner may use the tables.
    #[must_use]
    pub fn grants(mut self, grants: &'static str) -> Self {
        self.launch.grant(grants);
        self
    }

    /// The transport of all links, for clients of the service's own.
    pub fn transport(&self) -> &Transport {
        self.launch.transport()
    }

    /// Admits clients that show no certificate to the service's own routes: for routes that know their clients by a token.
    #[must_use]
    pub fn admit_by_token(mut self) -> Self {
        self.launch.admit_by_token();
        self
    }

    /// Serves these routes beside the operational ones.
    #[must_use]
    pub fn routes(mut self, routes: Router) -> Self {
        self.launch.serve(routes);
        self
    }

    /// Serves these routes to operators: at `OPS_ADDR`, if that is set.
    #[must_use]
    pub fn operations(mut self, routes: Router) -> Self {
        self.launch.operate(routes);
        self
    }

    /// Makes the calls that decisions ask for.
    #[must_use]
    pub fn outside(mut self, outside: impl Outside<S::Command>, policy: RetryPolicy) -> Self {
        let outside = Arc::new(TypedOutside::<S, _>(Arc::new(outside), PhantomData));
        self.launch.task("attempts", Duration::ZERO, |work, progress, shutdown| {
            attempts::run_watched(work, outside, policy, progress, shutdown)
        });
        self
    }

    /// Checks for due commands every `period`.
    #[must_use]
    pub fn deadlines(mut self, deadlines: impl Deadlines<S::Command>, period: Duration) -> Self {
        let timer = Timer::new(self.work.clone(), deadlines);
        self.launch.task("timer", period, |_, progress, shutdown| timer::run(timer, period, progress, shutdown));
        self
    }

    /// Runs until SIGTERM or SIGINT, then stops within
    /// [`STOP_WITHIN`](process::supervision::STOP_WITHIN). Waits for a database or a broker that is unavailable at the
    /// start.
    ///
    /// # Errors
    /// A setting that would do harm, a port that is taken, a failed task, or a fatal consumer error.
    pub async fn run(self) -> anyhow::Result<()> {
        self.launch.run().await
    }
}
