//! For tests: a database of one's own in a real Postgres, and what to put through a unit of work.
//!
//! Behind the feature `testing`; a service has `saga = { workspace = true, features = ["testing"] }` in its
//! `[dev-dependencies]`, and its tests read
//!
//! ```ignore
//! let db = TestDatabase::create(&MIGRATIONS).await;
//! let work = db.work(Hotel);
//! let outcomes = commit(&work, &[event("TripRequested", command)]).await;
//! assert_eq!(db.said(trip_id).await, ["RoomHeld"]);
//! ```

use std::{sync::Arc, time::Duration};

use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, PgConnection, PgPool,
    migrate::Migrator,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use uuid::Uuid;

use crate::{
    EventId, SagaId,
    service::Service,
    unit_of_work::{Incoming, Origin, Outcome, UnitOfWork, Wake},
};

mod conformance;
mod sequences;
mod snapshot;

pub use conformance::Conformance;

/// Where tests may create databases: the URL of a superuser.
const SERVER: &str = "TEST_DATABASE_URL";

/// A database that lives as long as this value: created and migrated for one test, dropped with it, also when it panics.
pub struct TestDatabase {
    name: String,
    server: PgConnectOptions,
    pool: PgPool,
}

impl TestDatabase {
    /// A new database with this crate's tables and those of `migrations`; `Migrator::DEFAULT` has none.
    ///
    /// # Panics
    /// Without `TEST_DATABASE_URL`, or where nothing can be created there.
    pub async fn create(migrations: &Migrator) -> Self {
        let Ok(url) = std::env::var(SERVER) else {
            panic!("{SERVER} is not set: this test needs a real Postgres. `make test` starts one and runs all tests");
        };
        let server: PgConnectOptions =
            url.parse().unwrap_or_else(|error| panic!("{SERVER} is no URL of a Postgres: {error}"));
        let name = format!("test_{}", Uuid::now_v7().simple());
        on_server(&server, format!("create database {name}"))
            .await
            .unwrap_or_else(|error| panic!("creating {name} at {SERVER}: {error}"));
        // From here on the database is dropped whatever happens.
        let pool = PgPoolOptions::new().max_connections(8).connect_lazy_with(server.clone().database(&name));
        let database = TestDatabase { name, server, pool };
        crate::migrate(&database.pool, migrations).await.expect("a new database can be migrated");
        database
    }

    /// Connections to the database.
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// For a program or a connection of one's own.
    pub fn url(&self) -> String {
        self.server.clone().database(&self.name).to_url_lossy().to_string()
    }

    /// Runs SQL that prepares a test.
    ///
    /// # Panics
    /// If it fails.
    pub async fn run(&self, sql: &'static str) {
        sqlx::raw_sql(sql).execute(&self.pool).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// The way to change something in this database as `service`.
    pub fn work<S: Service>(&self, service: S) -> UnitOfWork<S> {
        UnitOfWork::new(Arc::new(service), self.pool.clone(), Wake::default())
    }

    /// The types of all events in the outbox that are about this saga, in their order.
    ///
    /// # Panics
    /// If the outbox cannot be read.
    pub async fn said(&self, saga: SagaId) -> Vec<String> {
        sqlx::query_scalar("select type from outbox where aggregateid = $1 order by seq")
            .bind(saga.to_string())
            .fetch_all(&self.pool)
            .await
            .expect("the outbox can be read")
    }

    /// Waits until some statement in this database waits for the lock of another.
    ///
    /// # Panics
    /// After 10 seconds.
    pub async fn until_blocked(&self) {
        let blocked = async || {
            let count = "select count(*) from pg_stat_activity
                where datname = current_database() and wait_event_type = 'Lock'";
            let blocked: i64 =
                sqlx::query_scalar(count).fetch_one(&self.pool).await.expect("pg_stat_activity can be read");
            (blocked > 0).then_some(())
        };
        eventually(Duration::from_secs(10), "a statement to wait for a lock", blocked).await;
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let drop = format!("drop database if exists {} with (force)", self.name);
        let server = self.server.clone();
        // On a thread of its own: the test's runtime is just ending, and `drop` cannot wait for it.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(on_server(&server, drop)).map_err(anyhow::Error::from)
        });
        if let Ok(Err(error)) = dropping.join() {
            tracing::warn!(database = self.name, error = %format!("{error:#}"), "the test's database is left over");
        }
    }
}

async fn on_server(server: &PgConnectOptions, sql: String) -> sqlx::Result<()> {
    let mut connection: PgConnection = server.connect().await?;
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await?;
    connection.close().await
}

/// Decides upon a batch and commits it.
///
/// # Panics
/// If the database does not take it.
pub async fn commit<S: Service>(work: &UnitOfWork<S>, batch: &[Incoming<S::Command>]) -> Vec<Outcome> {
    let staged = work.stage(batch).await.expect("the batch is decided and written");
    staged.commit().await.expect("the batch is committed")
}

/// A command as an event with a new id brings it.
pub fn event<C>(what: &str, command: C) -> Incoming<C> {
    event_with_id(EventId::new(), what, command)
}

/// A command as an event with this id brings it: twice the same id is a duplicate.
pub fn event_with_id<C>(id: EventId, what: &str, command: C) -> Incoming<C> {
    Incoming {
        origin: Origin::Event(id),
        event_id: None,
        what: what.to_owned(),
        traceparent: None,
        expects: None,
        command,
    }
}

/// Asks until there is an answer.
///
/// # Panics
/// After `bound`, naming what was waited for.
pub async fn eventually<T>(bound: Duration, what: &str, ask: impl AsyncFn() -> Option<T>) -> T {
    let answer = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(BETWEEN_QUESTIONS).await;
        }
    };
    within(bound, what, answer).await
}

/// Time between two questions of [`eventually`].
const BETWEEN_QUESTIONS: Duration = Duration::from_millis(10);

/// Waits, but not for ever.
///
/// # Panics
/// After `bound`, naming what was waited for.
pub async fn within<T>(bound: Duration, what: &str, wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(bound, wait).await.unwrap_or_else(|_| panic!("waited {bound:?} for {what}"))
}
