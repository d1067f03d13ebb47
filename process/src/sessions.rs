//! Sessions of a database that may fall silent: every use is bounded, and connections that do not answer are discarded.
//!
//! There are three layers. The server ends a session that idles inside a transaction, waits too long for a lock or takes
//! too long for a statement ([`settings`]), so a frozen or vanished replica does not block others for long. The client
//! gives up on an answer after [`Sessions::bound`]. The pool then discards every connection that was open at that time,
//! because whatever silenced one of them has probably silenced the others too.

use std::{
    io,
    ops::{Deref, DerefMut},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use sqlx::{
    Connection, PgConnection, PgPool, Postgres,
    pool::PoolConnection,
    postgres::{PgConnectOptions, PgPoolOptions},
};

/// Bound for returning a connection to the pool, which pings the server once.
const RETURN: Duration = Duration::from_secs(1);
/// First server version with `transaction_timeout`.
const TRANSACTION_TIMEOUT_SINCE: u32 = 170_000;
/// Default bound.
pub const DEFAULT_BOUND: Duration = Duration::from_secs(5);

tokio::task_local! {
    /// Set while a [`Session`] is returned to the pool, which is bounded as a whole.
    static RETURNING: ();
}

/// A pool of sessions with a bound on their use. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Sessions {
    pool: PgPool,
    bound: Duration,
    distrust: Distrust,
    opened: Arc<AtomicU64>,
}

/// Connections opened before this moment must not be used again.
#[derive(Debug, Clone, Default)]
struct Distrust(Arc<Mutex<Option<Instant>>>);

impl Distrust {
    fn all_until_now(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Rejects a connection of this age.
    fn examine(&self, age: Duration) -> sqlx::Result<()> {
        let until = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match until {
            Some(until) if Instant::now().checked_sub(age).is_none_or(|opened| opened <= until) => {
                Err(silence("another connection of that time did not answer"))
            }
            _ => Ok(()),
        }
    }
}

/// Session settings with which the server ends whatever would block others, for a client that gives up after `bound`. In
/// milliseconds unless noted.
///
/// Ordered so that each takes effect before the next: a frozen lock holder is ended before those who wait for the lock, a
/// waiter before its statement, and a statement before the client gives up.
pub fn settings(bound: Duration) -> [(&'static str, u128); 8] {
    let ms = bound.as_millis();
    [
        ("idle_in_transaction_session_timeout", ms * 6 / 10),
        ("lock_timeout", ms * 8 / 10),
        ("statement_timeout", ms * 9 / 10),
        // A statement is cancelled when its client is gone.
        ("client_connection_check_interval", 1000),
        // Detects a vanished client: seconds idle, seconds between probes, probes, milliseconds for unacknowledged data.
        ("tcp_keepalives_idle", 5),
        ("tcp_keepalives_interval", 2),
        ("tcp_keepalives_count", 3),
        ("tcp_user_timeout", 10_000),
    ]
}

/// Adds [`settings`] to the options with which sessions start; existing options take precedence. A pooler in between may
/// refuse such options.
pub fn with_settings(options: PgConnectOptions, bound: Duration) -> PgConnectOptions {
    let own = options.get_options().unwrap_or_default().to_owned();
    let missing = settings(bound).into_iter().filter(|(name, _)| !sets(&own, name));
    options.options(missing)
}

/// Returns whether start options (`-c name=value …`) set exactly this name, not just one that contains it.
fn sets(options: &str, name: &str) -> bool {
    options.split_whitespace().any(|word| {
        let word = word.trim_start_matches("-c").trim_start_matches("--");
        word.split_once('=').is_some_and(|(set, _)| set == name)
    })
}

impl Sessions {
    /// Sessions with these options, at most `most` at a time; connects to nothing yet.
    pub fn new(options: PgConnectOptions, most: u32, bound: Duration) -> Self {
        Self::of(PgPoolOptions::new(), options, most, bound)
    }

    /// As [`new`](Self::new), for callers that must recheck their state whenever a connection is opened: connections are
    /// kept however old or idle they get.
    pub fn lasting(options: PgConnectOptions, most: u32, bound: Duration) -> Self {
        Self::of(PgPoolOptions::new().max_lifetime(None).idle_timeout(None), options, most, bound)
    }

    fn of(pool: PgPoolOptions, options: PgConnectOptions, most: u32, bound: Duration) -> Self {
        let (distrust, opened) = (Distrust::default(), Arc::<AtomicU64>::default());
        let count = opened.clone();
        let (before, after) = (distrust.clone(), distrust.clone());
        // Servers before version 17 do not know this setting, so it cannot be a start option.
        let own = options.get_options().unwrap_or_default();
        let whole = (sets(own, "statement_timeout") && !sets(own, "transaction_timeout")).then_some(bound * 2);
        let pool = pool
            .max_connections(most)
            // Shorter than the bound: a server that accepts no connection is unavailable, whatever the batch.
            .acquire_timeout(bound * 8 / 10)
            // A dead connection shows when it is used; testing first would cost every batch a round trip.
            .test_before_acquire(false)
            .after_connect(move |connection, _| {
                count.fetch_add(1, Ordering::SeqCst);
                Box::pin(async move {
                    match (whole, connection.server_version_num()) {
                        (Some(whole), Some(TRANSACTION_TIMEOUT_SINCE..)) => {
                            let sql = format!("set transaction_timeout = {}", whole.as_millis());
                            sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(connection).await.map(drop)
                        }
                        _ => Ok(()),
                    }
                })
            })
            .before_acquire(move |_, meta| {
                let examined = before.examine(meta.age);
                Box::pin(async move { examined.map(|()| true) })
            })
            .after_release(move |connection, meta| {
                let examined = after.examine(meta.age);
                Box::pin(async move {
                    examined?;
                    // The pool pings the server too, but without a bound.
                    if RETURNING.try_with(|()| ()).is_err() {
                        let asked = tokio::time::timeout(RETURN, connection.ping()).await;
                        asked.map_err(|_| silence("no answer to a connection that is given back"))??;
                    }
                    Ok(true)
                })
            })
            .connect_lazy_with(options);
        Sessions { pool, bound, distrust, opened }
    }

    /// Number of connections opened so far. While it does not change, neither does the server.
    pub fn opened(&self) -> u64 {
        self.opened.load(Ordering::SeqCst)
    }

    /// The pool, for single statements inside [`bounded`](Self::bounded).
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Maximum duration of a unit of work or a query.
    pub fn bound(&self) -> Duration {
        self.bound
    }

    /// Does some work in the database, within [`bound`](Self::bound).
    ///
    /// # Errors
    /// The errors of the work, and an [`io::ErrorKind::TimedOut`] if there was no answer in time. Then every open
    /// connection is discarded, including the one in use.
    pub async fn bounded<T, E: From<sqlx::Error>>(&self, work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        self.bounded_by(self.bound, work).await
    }

    /// As [`bounded`](Self::bounded), with a bound of the caller's choice.
    ///
    /// # Errors
    /// As for [`bounded`](Self::bounded).
    pub async fn bounded_by<T, E: From<sqlx::Error>>(
        &self,
        bound: Duration,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        // Dropped after the distrust is set, so the connection does not return to the pool.
        let mut work = std::pin::pin!(work);
        match tokio::time::timeout(bound, work.as_mut()).await {
            Ok(done) => done,
            Err(_) => {
                self.distrust.all_until_now();
                metrics::counter!("database_silent_total").increment(1);
                Err(E::from(silence("no answer from the database in time")))
            }
        }
    }

    /// Writes and commits something, to check whether the database accepts writes.
    ///
    /// # Errors
    /// If the write fails, or takes too long.
    pub async fn probe(&self) -> sqlx::Result<()> {
        let write = sqlx::query("select pg_logical_emit_message(true, 'saga probe', '')").execute(&self.pool);
        self.bounded(write).await.map(drop)
    }

    /// Closes what is open, without waiting for long.
    pub async fn close(&self) {
        let _ = tokio::time::timeout(RETURN, self.pool.close()).await;
    }

    /// Acquires a dedicated connection.
    pub async fn acquire(&self) -> sqlx::Result<Session> {
        Ok(Session { connection: Some(self.pool.acquire().await?), transaction: Transaction::None })
    }

    /// Acquires a dedicated connection and begins a transaction on it.
    pub async fn begin(&self) -> sqlx::Result<Session> {
        let mut session = self.acquire().await?;
        session.transaction = Transaction::Beginning;
        sqlx::raw_sql("begin").execute(&mut *session).await?;
        session.transaction = Transaction::Open;
        Ok(session)
    }
}

/// Wraps an existing pool, with the default bound.
impl From<PgPool> for Sessions {
    fn from(pool: PgPool) -> Self {
        Sessions { pool, bound: DEFAULT_BOUND, distrust: Distrust::default(), opened: Arc::default() }
    }
}

/// One connection, perhaps with a transaction, which is rolled back unless it is committed.
#[derive(Debug)]
pub struct Session {
    /// `Some` until the session is dropped.
    connection: Option<PoolConnection<Postgres>>,
    transaction: Transaction,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transaction {
    None,
    /// `begin` was sent, and it is unknown whether the server has executed it.
    Beginning,
    Open,
}

impl Session {
    /// Commits the transaction.
    pub async fn commit(mut self) -> sqlx::Result<()> {
        sqlx::raw_sql("commit").execute(&mut *self).await?;
        self.transaction = Transaction::None;
        Ok(())
    }
}

impl Deref for Session {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        self.connection.as_ref().expect("there until it is dropped")
    }
}

impl DerefMut for Session {
    fn deref_mut(&mut self) -> &mut PgConnection {
        self.connection.as_mut().expect("there until it is dropped")
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        let open = match self.transaction {
            Transaction::None => false,
            Transaction::Open => true,
            Transaction::Beginning => return drop(connection.detach()),
        };
        // Bounded: a connection without answers would occupy its place in the pool for ever.
        tokio::spawn(RETURNING.scope((), async move {
            let rolled_back = async {
                match open {
                    true => sqlx::raw_sql("rollback").execute(&mut *connection).await.is_ok(),
                    false => true,
                }
            };
            if !tokio::time::timeout(RETURN, rolled_back).await.unwrap_or(false) {
                return drop(connection.detach());
            }
            // On timeout it is dropped instead of returned.
            let _ = tokio::time::timeout(RETURN, connection.return_to_pool()).await;
        }));
    }
}

/// Error for a server that does not answer.
fn silence(what: &'static str) -> sqlx::Error {
    sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, what))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(name: &str) -> u128 {
        settings(Duration::from_secs(5)).into_iter().find(|(it, _)| *it == name).expect("it is set").1
    }

    #[test]
    fn a_frozen_holder_is_ended_before_its_waiters_and_a_statement_before_the_client_gives_up() {
        let order = ["idle_in_transaction_session_timeout", "lock_timeout", "statement_timeout"].map(setting);
        assert!(order.is_sorted() && order[2] < 5000, "{order:?}");
    }

    #[test]
    fn settings_of_the_url_stay_as_they_are() {
        let options: PgConnectOptions =
            "postgres://a@b/c?options=-c%20statement_timeout%3D7".parse().expect("it is a URL");
        let options = with_settings(options, Duration::from_secs(5));
        let options = options.get_options().expect("there are some");
        assert_eq!(options.matches("statement_timeout=").count(), 1, "{options}");
        assert!(options.contains("statement_timeout=7") && options.contains("lock_timeout=4000"), "{options}");
    }

    #[test]
    fn a_setting_is_known_by_its_whole_name() {
        let own = "-c deadlock_timeout=1s -cstatement_timeout=7 --transaction_timeout=9";
        assert!(sets(own, "deadlock_timeout") && sets(own, "statement_timeout") && sets(own, "transaction_timeout"));
        assert!(!sets(own, "lock_timeout") && !sets("", "lock_timeout"));
    }

    #[test]
    fn a_connection_is_distrusted_if_it_was_open_when_another_fell_silent() {
        let distrust = Distrust::default();
        assert!(distrust.examine(Duration::from_secs(9)).is_ok());
        distrust.all_until_now();
        assert!(distrust.examine(Duration::from_secs(9)).is_err());
        std::thread::yield_now();
        assert!(distrust.examine(Duration::ZERO).is_ok(), "opened after that");
    }
}
