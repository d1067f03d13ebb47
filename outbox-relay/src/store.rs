//! Reading the outbox.

use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::stream::BoxStream;
use sqlx::{
    PgConnection,
    postgres::{PgConnectOptions, PgRow},
};
use uuid::Uuid;

use crate::{program::PROGRAM, span::Span};

/// One event, borrowed from the row that it came in.
#[derive(Debug, sqlx::FromRow)]
pub(crate) struct OutboxRow<'r> {
    pub(crate) seq: i64,
    pub(crate) id: Uuid,
    pub(crate) aggregatetype: &'r str,
    pub(crate) aggregateid: &'r str,
    #[sqlx(rename = "type")]
    pub(crate) event_type: &'r str,
    pub(crate) payload: &'r str,
    pub(crate) causationid: Option<Uuid>,
    pub(crate) traceparent: Option<&'r str>,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) dataversion: i32,
}

/// Selects an [`OutboxRow`]. A service of an earlier version has not added `dataversion` to its table: the name then means the 1
/// of `absent`, until it has.
macro_rules! rows {
    ($rest:literal) => {
        concat!(
            "select seq, id, aggregatetype, aggregateid, type, payload::text as payload, causationid, traceparent, created_at,
                    (select dataversion from (select o.*) has) as dataversion
             from (select 1 as dataversion) absent, outbox o ",
            $rest
        )
    };
}

/// At most `limit` rows after `after` and up to `through`, in the order of `seq`, as the server sends them.
pub(crate) fn read(
    session: &mut PgConnection,
    after: i64,
    through: i64,
    limit: i64,
) -> BoxStream<'_, sqlx::Result<PgRow>> {
    sqlx::query(rows!("where seq > $1 and seq <= $2 order by seq limit $3"))
        .bind(after)
        .bind(through)
        .bind(limit)
        .fetch(session)
}

/// As [`read`], but only rows up to `through` that were written within `span`.
pub(crate) fn read_again(
    session: &mut PgConnection,
    after: i64,
    through: i64,
    span: Span,
) -> BoxStream<'_, sqlx::Result<PgRow>> {
    sqlx::query(rows!("where seq > $1 and seq <= $2 and created_at >= $3 and created_at < $4 order by seq limit 2000"))
        .bind(after)
        .bind(through)
        .bind(span.since)
        .bind(span.until)
        .fetch(session)
}

/// The number up to which everything has been published.
pub(crate) async fn cursor(session: &mut PgConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar("select last_seq from relay_cursor").fetch_one(session).await
}

/// The publisher that the database declares; None if it declares none.
pub(crate) async fn declared_publisher(session: &mut PgConnection) -> sqlx::Result<Option<String>> {
    let declares: bool =
        sqlx::query_scalar("select to_regclass('outbox_publisher') is not null").fetch_one(&mut *session).await?;
    if !declares {
        return Ok(None);
    }
    sqlx::query_scalar("select name from outbox_publisher").fetch_optional(session).await
}

/// Settings of the relay's own sessions.
pub(crate) fn session_options(database: &PgConnectOptions, statement_timeout: Duration) -> PgConnectOptions {
    let statement_timeout = statement_timeout.as_millis().to_string();
    database.clone().application_name(PROGRAM).options([
        ("statement_timeout", statement_timeout.as_str()),
        // The relay has no transactions of several statements; should it ever have one, it holds up no writer for long.
        ("idle_in_transaction_session_timeout", statement_timeout.as_str()),
        // The session of a relay that has vanished, and with it the lock of the leader, ends within seconds.
        ("tcp_keepalives_idle", "5"),
        ("tcp_keepalives_interval", "2"),
        ("tcp_keepalives_count", "3"),
        ("tcp_user_timeout", "10000"),
        // The one good plan is to read the outbox along the index, and a plan made while the table was empty is kept.
        ("enable_seqscan", "off"),
        ("enable_bitmapscan", "off"),
        ("enable_sort", "off"),
        ("jit", "off"),
        ("plan_cache_mode", "force_generic_plan"),
        // A crash of the database may lose the last writes of the cursor: a few more events are published again. An epoch need
        // not survive that either, since no session does.
        ("synchronous_commit", "off"),
    ])
}
