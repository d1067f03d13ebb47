//! One relay leads a database; the others stand by.
//!
//! The leader of epoch E holds the session lock `(RELAY, E)` and the lease in `relay_cursor`. If the lock is free, its session is
//! gone. If the lease has expired, it is frozen and still holds the lock of its epoch, so the successor takes that of the next.

use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection, Row};

/// Namespace of the relay's advisory locks: "obox" in ASCII.
const RELAY: i32 = 0x6f62_6f78;

/// The epoch, the cursor and the lease that a new leader starts from.
pub(crate) struct Mandate {
    pub(crate) epoch: i64,
    /// The last number that is known to be published.
    pub(crate) last_seq: i64,
    /// Time just before the lease was requested.
    pub(crate) asked_at: Instant,
}

/// A leadership that may be taken over.
pub(crate) struct Vacancy {
    epoch: i64,
    /// The last number that is known to be published.
    pub(crate) last_seq: i64,
    holder_gone: bool,
}

/// The cursor of an outbox that another program publishes.
const HANDED_OVER: i64 = i64::MAX;

impl Vacancy {
    /// True if another program publishes this outbox.
    pub(crate) fn is_handed_over(&self) -> bool {
        self.last_seq == HANDED_OVER
    }
}

/// The leadership, if it may be taken over: the leader's session is gone, its lease has expired, or the leader was this relay,
/// in a session that it has discarded (in the epoch `abandoned`).
pub(crate) async fn vacancy(session: &mut PgConnection, abandoned: i64) -> sqlx::Result<Option<Vacancy>> {
    let row = sqlx::query(
        "select epoch, pg_try_advisory_lock($1, (epoch % 2147483647)::int),
                coalesce(lease_until < clock_timestamp(), true), last_seq
         from relay_cursor",
    )
    .bind(RELAY)
    .fetch_one(session)
    .await?;
    let (epoch, holder_gone, lease_over): (i64, bool, bool) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    let vacant = holder_gone || lease_over || epoch == abandoned;
    Ok(vacant.then_some(Vacancy { epoch, last_seq: row.try_get(3)?, holder_gone }))
}

/// Takes over the leadership, unless another relay was faster.
pub(crate) async fn take_over(
    session: &mut PgConnection,
    vacancy: &Vacancy,
    lease: Duration,
    holder: &str,
) -> sqlx::Result<Option<Mandate>> {
    let mandate = succeed(session, vacancy.epoch, lease, holder).await?;
    if mandate.is_none() {
        sqlx::query("select pg_advisory_unlock_all()").execute(session).await?;
    } else if vacancy.holder_gone {
        sqlx::query("select pg_advisory_unlock($1, ($2 % 2147483647)::int)")
            .bind(RELAY)
            .bind(vacancy.epoch)
            .execute(session)
            .await?;
    }
    Ok(mandate)
}

/// Lock first, then epoch: the lock admits one of the contenders, and the row has to be as that one read it.
async fn succeed(
    session: &mut PgConnection,
    epoch: i64,
    lease: Duration,
    holder: &str,
) -> sqlx::Result<Option<Mandate>> {
    let mine = epoch + 1;
    let locked: bool = sqlx::query_scalar("select pg_try_advisory_lock($1, ($2 % 2147483647)::int)")
        .bind(RELAY)
        .bind(mine)
        .fetch_one(&mut *session)
        .await?;
    if !locked {
        return Ok(None);
    }
    let asked_at = Instant::now();
    let last_seq: Option<i64> = sqlx::query_scalar(
        "update relay_cursor set epoch = $2, holder = $3, updated_at = clock_timestamp(),
                lease_until = clock_timestamp() + make_interval(secs => $4)
         where epoch = $1 returning last_seq",
    )
    .bind(epoch)
    .bind(mine)
    .bind(holder)
    .bind(lease.as_secs_f64())
    .fetch_optional(session)
    .await?;
    Ok(last_seq.map(|last_seq| Mandate { epoch: mine, last_seq, asked_at }))
}

/// Writes the cursor and renews the lease. False if the row has another epoch: this relay has been replaced.
pub(crate) async fn save(session: &mut PgConnection, epoch: i64, last_seq: i64, lease: Duration) -> sqlx::Result<bool> {
    let saved = sqlx::query(
        "update relay_cursor set last_seq = $2, updated_at = clock_timestamp(),
                lease_until = clock_timestamp() + make_interval(secs => $3)
         where epoch = $1",
    )
    .bind(epoch)
    .bind(last_seq)
    .bind(lease.as_secs_f64())
    .execute(session)
    .await?;
    Ok(saved.rows_affected() == 1)
}

/// Writes the cursor, releases the lease and closes the session, so that a successor need not wait.
pub(crate) async fn release(mut session: PgConnection, epoch: i64, last_seq: i64) -> sqlx::Result<()> {
    sqlx::query(
        "update relay_cursor set last_seq = $2, updated_at = clock_timestamp(), lease_until = null, holder = null
         where epoch = $1",
    )
    .bind(epoch)
    .bind(last_seq)
    .execute(&mut session)
    .await?;
    session.close().await
}
