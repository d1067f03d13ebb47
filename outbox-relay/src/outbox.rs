//! Reading the outbox.

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
}

/// At most `limit` rows after `after`, in the order of `seq`, as the server sends them.
pub(crate) fn read(session: &mut PgConnection, after: i64, limit: i64) -> BoxStream<'_, sqlx::Result<PgRow>> {
    sqlx::query(
        "select seq, id, aggregatetype, aggregateid, type, payload::text as payload, causationid, traceparent, created_at
         from outbox where seq > $1 order by seq limit $2",
    )
    .bind(after)
    .bind(limit)
    .fetch(session)
}

/// As [`read`], of those rows up to `through` that were written within `span`.
pub(crate) fn read_again(
    session: &mut PgConnection,
    after: i64,
    through: i64,
    span: Span,
) -> BoxStream<'_, sqlx::Result<PgRow>> {
    sqlx::query(
        "select seq, id, aggregatetype, aggregateid, type, payload::text as payload, causationid, traceparent, created_at
         from outbox where seq > $1 and seq <= $2 and created_at >= $3 and created_at < $4 order by seq limit 2000",
    )
    .bind(after)
    .bind(through)
    .bind(span.since)
    .bind(span.until)
    .fetch(session)
}

/// Up to which number everything has been published.
pub(crate) async fn cursor(session: &mut PgConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar("select last_seq from relay_cursor").fetch_one(session).await
}

/// The highest number that is visible; 0 if there is none.
pub(crate) async fn highest(session: &mut PgConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar("select coalesce(max(seq), 0) from outbox").fetch_one(session).await
}

/// Settings of the relay's own session.
pub(crate) fn session_options(database: &PgConnectOptions) -> PgConnectOptions {
    database.clone().application_name(PROGRAM).options([
        // There is one good way to read the outbox, down the index, and a plan made while the table was empty is kept.
        ("enable_seqscan", "off"),
        ("enable_bitmapscan", "off"),
        ("enable_sort", "off"),
        ("jit", "off"),
        ("plan_cache_mode", "force_generic_plan"),
        // The cursor may fall behind: after a crash of the database a few events more are published again. An epoch need
        // not survive that either, since no session does.
        ("synchronous_commit", "off"),
    ])
}
