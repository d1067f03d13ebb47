//! Sessions in a database that may fall silent: every use is bounded, and what did not answer is thrown away.
//!
//! Three parties watch. The server ends a session that idles inside a transaction, waits too long for a lock or takes too
//! long for a statement ([`settings`]): so a frozen or vanished replica blocks nobody for long. The client gives up on an
//! answer after [`Sessions::bound`]. And the pool then throws away every connection that was open at that time, because
//! what made one of them silent has probably made the others silent too.

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

/// Bound for giving a connection back to the pool, which asks the server once.
const RETURN: Duration = Duration::from_secs(1);
/// Servers from this version on have `transaction_timeout`.
const TRANSACTION_TIMEOUT_SINCE: u32 = 170_000;
/// Bound where nobody has set one.
pub const DEFAULT_BOUND: Duration = Duration::from_secs(5);

tokio::task_local! {
    /// Set while a [`Session`] is given back, which is bounded as a whole.
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

/// Moment up to which connections were opened that are not to be used again.
#[derive(Debug, Clone, Default)]
struct Distrust(Arc<Mutex<Option<Instant>>>);

impl Distrust {
    fn all_until_now(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Refuses a connection of this age.
    fn examine(&self, age: Duration) -> sqlx::Result<()> {
        let until = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match until {
            Some(until) if Instant::now().checked_sub(age).is_none_or(|opened| opened <= until) => {
                Err(silence("a connection of the same time did not answer"))
            }
            _ => Ok(()),
        }
    }
}

/// Settings of a session by which the server ends what would block others, for a client that gives up after `bound`. In
/// milliseconds, if not said otherwise.
///
/// Ordered so that each has its effect before the next: a frozen holder of a lock is ended before those who wait for the
/// lock are, a waiter before its statement, and a statement before the client stops listening.
pub fn settings(bound: Duration) -> [(&'static str, u128); 8] {
    let ms = bound.as_millis();
    [
        ("idle_in_transaction_session_timeout", ms * 6 / 10),
        ("lock_timeout", ms * 8 / 10),
        ("statement_timeout", ms * 9 / 10),
        // A statement whose client has gone is not carried on with.
        ("client_connection_check_interval", 1000),
        // A client that vanished without a word: seconds, seconds, probes, and milliseconds for what it does not acknowledge.
        ("tcp_keepalives_idle", 5),
        ("tcp_keepalives_interval", 2),
        ("tcp_keepalives_count", 3),
        ("tcp_user_timeout", 10_000),
    ]
}

/// Adds [`settings`] to the options with which sessions start; what they have already stays as it is. A pooler between us and
/// the server may refuse such options.
pub fn with_settings(options: PgConnectOptions, bound: Duration) -> PgConnectOptions {
    let own = options.get_options().unwrap_or_default().to_owned();
    let missing = settings(bound).into_iter().filter(|(name, _)| !sets(&own, name));
    options.options(missing)
}

/// Tells whether start options (`-c name=value …`) set this, and not only something whose name contains it.
fn sets(options: &str, name: &str) -> bool {
    options.split_whitespace().any(|word| {
        let word = word.trim_start_matches("-c").trim_start_matches("--");
        word.split_once('=').is_some_and(|(set, _)| set == name)
    })
}

impl Sessions {
    /// Sessions with these options, at most `most` at a time; nothing is connected yet.
    pub fn new(options: PgConnectOptions, most: u32, bound: Duration) -> Self {
        Self::of(PgPoolOptions::new(), options, most, bound)
    }

    /// The same for somebody who has to look after everything again whenever a connection is opened: they are kept, however
    /// old or idle they get.
    pub fn lasting(options: PgConnectOptions, most: u32, bound: Duration) -> Self {
        Self::of(PgPoolOptions::new().max_lifetime(None).idle_timeout(None), options, most, bound)
    }

    fn of(pool: PgPoolOptions, options: PgConnectOptions, most: u32, bound: Duration) -> Self {
        let (distrust, opened) = (Distrust::default(), Arc::<AtomicU64>::default());
        let count = opened.clone();
        let (before, after) = (distrust.clone(), distrust.clone());
        // A setting that servers before 17 do not know cannot be among the options.
        let own = options.get_options().unwrap_or_default();
        let whole = (sets(own, "statement_timeout") && !sets(own, "transaction_timeout")).then_some(bound * 2);
        let pool = pool
            .max_connections(most)
            // Before the bound: a server that takes no connection is away, and no reason to suspect a batch.
            .acquire_timeout(bound * 8 / 10)
            // A connection that has died shows when it is used; asking first would cost every batch a round trip.
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
                    // The pool asks the server by itself, but without a bound.
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

    /// Connections that were opened so far. As long as it stays the same, the server does too.
    pub fn opened(&self) -> u64 {
        self.opened.load(Ordering::SeqCst)
    }

    /// The pool, for single statements inside [`bounded`](Self::bounded).
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Longest time that a unit of work or a query may take.
    pub fn bound(&self) -> Duration {
        self.bound
    }

    /// Does some work in the database, at most for [`bound`](Self::bound).
    ///
    /// # Errors
    /// The errors of the work, and an [`io::ErrorKind::TimedOut`] where there was no answer in time: then every connection that
    /// is open now is thrown away, the one that was used included.
    pub async fn bounded<T, E: From<sqlx::Error>>(&self, work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        self.bounded_by(self.bound, work).await
    }

    /// As [`bounded`](Self::bounded), for work that may take longer or less.
    ///
    /// # Errors
    /// As there.
    pub async fn bounded_by<T, E: From<sqlx::Error>>(
        &self,
        bound: Duration,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        // Dropped after the distrust is set: so it does not go back to the pool.
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

    /// Writes something and commits it: whether the database takes writes at all.
    ///
    /// # Errors
    /// If it does not, or not in time.
    pub async fn probe(&self) -> sqlx::Result<()> {
        let write = sqlx::query("select pg_logical_emit_message(true, 'saga probe', '')").execute(&self.pool);
        self.bounded(write).await.map(drop)
    }

    /// Closes what is open, without waiting for long.
    pub async fn close(&self) {
        let _ = tokio::time::timeout(RETURN, self.pool.close()).await;
    }

    /// A connection of one's own.
    pub async fn acquire(&self) -> sqlx::Result<Session> {
        Ok(Session { connection: Some(self.pool.acquire().await?), transaction: Transaction::None })
    }

    /// A connection of one's own with a transaction begun.
    pub async fn begin(&self) -> sqlx::Result<Session> {
        let mut session = self.acquire().await?;
        session.transaction = Transaction::Beginning;
        sqlx::raw_sql("begin").execute(&mut *session).await?;
        session.transaction = Transaction::Open;
        Ok(session)
    }
}

/// For a pool that somebody else has made: with the default bound.
impl From<PgPool> for Sessions {
    fn from(pool: PgPool) -> Self {
        Sessions { pool, bound: DEFAULT_BOUND, distrust: Distrust::default(), opened: Arc::default() }
    }
}

/// One connection and perhaps a transaction on it, which is rolled back unless it is committed.
#[derive(Debug)]
pub struct Session {
    /// There until the session is dropped.
    connection: Option<PoolConnection<Postgres>>,
    transaction: Transaction,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transaction {
    None,
    /// Asked for, and nobody knows whether the server has begun it.
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
        // Bounded: a connection that nobody answers on would occupy its place in the pool for ever.
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
            // Given up on, it is dropped and not given back.
            let _ = tokio::time::timeout(RETURN, connection.return_to_pool()).await;
        }));
    }
}

/// The error of a server that does not answer.
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
