//! SQL of the log.

use chrono::{DateTime, Utc};
use futures::stream::BoxStream;
use sqlx::{AssertSqlSafe, FromRow, PgConnection, PgPool};

use crate::{
    act::Fields,
    entry::{Bytes, Entry},
};

/// What the function says about the entry that it wrote.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct Written {
    pub(crate) new_seq: i64,
    pub(crate) new_at: DateTime<Utc>,
    pub(crate) new_role: String,
    #[sqlx(try_from = "Vec<u8>")]
    pub(crate) new_previous: Bytes,
    #[sqlx(try_from = "Vec<u8>")]
    pub(crate) new_hash: Bytes,
    #[sqlx(try_from = "Vec<u8>")]
    pub(crate) new_genesis: Bytes,
}

pub(crate) async fn append(pool: &PgPool, fields: &Fields) -> sqlx::Result<Written> {
    sqlx::query_as("select * from audit.append($1, $2, $3, $4, $5, $6, $7, $8, $9)")
        .bind(fields.act)
        .bind(&fields.actor)
        .bind(fields.known)
        .bind(fields.action)
        .bind(&fields.object_kind)
        .bind(&fields.object_id)
        .bind(&fields.reason)
        .bind(fields.outcome)
        .bind(&fields.details)
        .fetch_one(pool)
        .await
}

/// The latest entry, for its signed head.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct Due {
    pub(crate) due_seq: i64,
    pub(crate) due_at: DateTime<Utc>,
    #[sqlx(try_from = "Vec<u8>")]
    pub(crate) due_hash: Bytes,
    #[sqlx(try_from = "Vec<u8>")]
    pub(crate) chain_genesis: Bytes,
}

/// The latest entry, whoever says that its head is on the topic.
pub(crate) async fn end(pool: &PgPool) -> sqlx::Result<Option<Due>> {
    sqlx::query_as("select * from audit.head()").fetch_optional(pool).await
}

/// The latest entry, if its signed head is not yet noted to be on the topic.
pub(crate) async fn due(pool: &PgPool) -> sqlx::Result<Option<Due>> {
    sqlx::query_as("select * from audit.head_due()").fetch_optional(pool).await
}

pub(crate) async fn published(pool: &PgPool, seq: i64) -> sqlx::Result<()> {
    sqlx::query("select audit.head_published($1)").bind(seq).execute(pool).await.map(drop)
}

/// The log's own note of its end.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Chain {
    /// What the first entry names as its previous hash.
    #[sqlx(try_from = "Vec<u8>")]
    pub genesis: Bytes,
    /// Number of the last entry; 0 if there is none.
    pub last_seq: i64,
    /// Hash of the last entry, or `genesis`.
    #[sqlx(try_from = "Vec<u8>")]
    pub last_hash: Bytes,
}

pub(crate) async fn chain(db: &mut PgConnection) -> sqlx::Result<Chain> {
    sqlx::query_as("select genesis, last_seq, last_hash from audit.chain").fetch_one(db).await
}

/// All entries by number.
pub(crate) fn entries(db: &mut PgConnection) -> BoxStream<'_, sqlx::Result<Entry>> {
    sqlx::query_as(AssertSqlSafe(format!("select {} from audit.entries order by seq", Entry::COLUMNS))).fetch(db)
}
