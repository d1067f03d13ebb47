//! Test helpers: a private database in a real Postgres, and commands to put through a unit of work.
//!
//! Requires the feature `testing`. A service adds `saga = { workspace = true, features = ["testing"] }` to its
//! `[dev-dependencies]`; its tests then look like this:
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

pub use crate::runtime::replica::{Claimed, Replica};
pub use conformance::Conformance;

/// Environment variable with a superuser's URL for the server on which tests create databases.
const SERVER: &str = "TEST_DATABASE_URL";

/// A database that lives as long as this value: created and migrated for one test, and dropped with it, even after a
/// panic.
pub struct TestDatabase {
    name: String,
    server: PgConnectOptions,
    pool: PgPool,
}

impl TestDatabase {
    /// Creates a database with this crate's tables and those of `migrations`; `Migrator::DEFAULT` has none.
    ///
    /// # Panics
    /// If `TEST_DATABASE_URL` is not set, or the database cannot be created.
    pub async fn create(migrations: &Migrator) -> Self {
        let Ok(url) = std::env::var(SERVER) else {
            panic!(
                "{SERVER} is not set: this test needs a real Postgres. `scenarios exec -- cargo test` starts one; `make test` runs all"
            );
        };
        let server = url.parse().unwrap_or_else(|error| panic!("{SERVER} is no URL of a Postgres: {error}"));
        Self::create_on(server, migrations).await
    }

    /// As [`create`](Self::create), on this server, as a superuser.
    ///
    /// # Panics
    /// If the database cannot be created.
    pub async fn create_on(server: PgConnectOptions, migrations: &Migrator) -> Self {
        let name = format!("test_{}", Uuid::now_v7().simple());
        on_server(&server, format!("create database {name}"))
            .await
            .unwrap_or_else(|error| panic!("creating {name}: {error}"));
        // From here on the database is dropped in every case.
        let pool = PgPoolOptions::new().max_connections(8).connect_lazy_with(server.clone().database(&name));
        let database = TestDatabase { name, server, pool };
        crate::migrate(&database.pool, migrations).await.expect("a new database can be migrated");
        database
    }

    /// Connection pool of the database.
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// URL of the database, for a program or a separate connection.
    pub fn url(&self) -> String {
        self.server.clone().database(&self.name).to_url_lossy().to_string()
    }

    /// Runs SQL that prepares a test.
    ///
    /// # Panics
    /// If the SQL fails.
    pub async fn run(&self, sql: &'static str) {
        sqlx::raw_sql(sql).execute(&self.pool).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// A unit of work of `service` in this database.
    pub fn work<S: Service>(&self, service: S) -> UnitOfWork<S> {
        UnitOfWork::new(Arc::new(service), self.pool.clone(), Wake::default())
    }

    /// Types of all outbox events about this saga, in order.
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

    /// Waits until some statement in this database waits for another's lock.
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
        // On a separate thread: the test's runtime is ending, and `drop` cannot await.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(on_server(&server, drop)).map_err(anyhow::Error::from)
        });
        if let Ok(Err(error)) = dropping.join() {
            tracing::warn!(database = self.name, error = %format!("{error:#}"), "could not drop the test's database");
        }
    }
}

async fn on_server(server: &PgConnectOptions, sql: String) -> sqlx::Result<()> {
    let mut connection: PgConnection = server.connect().await?;
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await?;
    connection.close().await
}

/// Decides on a batch and commits it.
///
/// # Panics
/// If the database refuses the batch.
pub async fn commit<S: Service>(work: &UnitOfWork<S>, batch: &[Incoming<S::Command>]) -> Vec<Outcome> {
    let staged = work.stage(batch).await.expect("the batch is decided and written");
    staged.commit().await.expect("the batch is committed")
}

/// A command as if brought by an event with a new id.
pub fn event<C>(what: &str, command: C) -> Incoming<C> {
    event_with_id(EventId::new(), what, command)
}

/// A command as if brought by an event with this id. Using the same id twice makes a duplicate.
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

/// Polls until `ask` returns a value.
///
/// # Panics
/// After `bound`, naming what it waited for.
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

/// Pause between two polls of [`eventually`].
const BETWEEN_QUESTIONS: Duration = Duration::from_millis(10);

/// Waits at most `bound`.
///
/// # Panics
/// After `bound`, naming what it waited for.
pub async fn within<T>(bound: Duration, what: &str, wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(bound, wait).await.unwrap_or_else(|_| panic!("waited {bound:?} for {what}"))
}
