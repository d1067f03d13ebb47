//! Parked work as an operator sees it, and what an operator can do with it. Every action is recorded.

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection, PgPool};
use uuid::Uuid;

use super::shelf;
use crate::record::Record;

/// Something that waits, or has waited, for an operator.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Work {
    /// Id of the event or the attempt.
    pub id: Uuid,
    /// `event` or `call`.
    pub kind: String,
    /// The saga that waits.
    #[sqlx(rename = "order_id")]
    pub saga_id: Uuid,
    /// Event type, or kind of call.
    pub what: String,
    /// For an event `parked`, `waiting`, `retry` or `settled`; for a call `parked` or `resolved`.
    pub status: String,
    /// Number of tries.
    pub tries: i32,
    /// The latest error.
    pub error: Option<String>,
    /// Time of the latest change of status.
    pub since: DateTime<Utc>,
}

/// An action that an operator has taken.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Action {
    /// Time of the action.
    pub at: DateTime<Utc>,
    /// Name of the operator.
    pub by_whom: String,
    /// `retry`, `resolve` or `answer`.
    pub action: String,
    /// The operator's reason.
    pub note: String,
}

/// Everything about one piece of parked work.
#[derive(Debug, Clone, PartialEq)]
pub struct Details {
    /// The piece of work.
    pub work: Work,
    /// What it is about.
    pub content: Content,
    /// Actions, oldest first.
    pub actions: Vec<Action>,
}

/// Content of a piece of work.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// The event as it was read from Kafka.
    Event(Record),
    /// A call to the outside.
    Call {
        /// Request of the call.
        request: serde_json::Value,
        /// Idempotency key, the same on every try.
        idempotency_key: String,
    },
}

/// Action that an operator asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish<'a> {
    /// Try it again. A call is made, whatever its previous answer was.
    Retry,
    /// Settle the event without retrying it. Nothing is published on its behalf. A call cannot be resolved, because a
    /// saga waits for its answer.
    Resolve,
    /// Record that the call was settled by hand with the other side; the word, defined by the service, says how. The
    /// service decides as it would after a real answer.
    Answer(&'a str),
}

impl Wish<'_> {
    /// Name of the action in `parked_actions`.
    fn as_str(self) -> &'static str {
        match self {
            Wish::Retry => "retry",
            Wish::Resolve => "resolve",
            Wish::Answer(_) => "answer",
        }
    }
}

/// Operator and reason.
#[derive(Debug, Clone, Copy)]
pub struct Signature<'a> {
    /// Name of the operator.
    pub by: &'a str,
    /// The operator's reason.
    pub note: &'a str,
}

/// Result of a requested action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// Done.
    Yes(Work),
    /// Nothing was changed: the work's status does not allow the action.
    NotNow(Work),
    /// Nothing was changed: the action does not apply to this kind of work. Only calls take an answer, and only events
    /// can be resolved.
    WrongKind(Work),
    /// There is no such work in this database.
    Unknown,
}

/// Lists all parked work and the events waiting behind it, oldest first.
pub async fn list(pool: &PgPool) -> sqlx::Result<Vec<Work>> {
    sqlx::query_as(
        "select id, 'call' as kind, order_id, kind as what, status, tries, last_error as error, updated_at as since
         from attempts where status = 'parked'
         union all
         select event_id, 'event', order_id, what, status, tries, error, parked_at
         from parked_events where status <> 'settled' order by since",
    )
    .fetch_all(pool)
    .await
}

/// Returns everything about the work with this id, including settled work.
pub async fn find(pool: &PgPool, id: Uuid) -> sqlx::Result<Option<Details>> {
    let mut db = pool.acquire().await?;
    let Some(work) = look(&mut db, id).await? else { return Ok(None) };
    let content = if work.kind == "event" {
        let select = "select topic, partition, record_offset, record_timestamp, key, value, header_names, header_values
                      from parked_events where event_id = $1";
        let row = sqlx::query(select).bind(id).fetch_one(&mut *db).await?;
        Content::Event(shelf::record(&row)?)
    } else {
        let (request, idempotency_key) = sqlx::query_as("select request, idempotency_key from attempts where id = $1")
            .bind(id)
            .fetch_one(&mut *db)
            .await?;
        Content::Call { request, idempotency_key }
    };
    let actions =
        sqlx::query_as("select at, by_whom, action, note from parked_actions where work_id = $1 order by seq")
            .bind(id)
            .fetch_all(&mut *db)
            .await?;
    Ok(Some(Details { work, content, actions }))
}

/// Carries out an action and records who asked for it, in one transaction. The service does the rest within a second or
/// two: it makes the call, or processes the event and then those behind it. Idempotent.
pub async fn act(pool: &PgPool, id: Uuid, wish: Wish<'_>, signature: Signature<'_>) -> sqlx::Result<Done> {
    let mut transaction = pool.begin().await?;
    let changed = match wish {
        Wish::Retry => retry(&mut transaction, id).await?,
        Wish::Resolve => resolve(&mut transaction, id).await?,
        Wish::Answer(word) => answer(&mut transaction, id, word).await?,
    };
    let Some(work) = look(&mut transaction, id).await? else { return Ok(Done::Unknown) };
    if !changed {
        let fits = match wish {
            Wish::Retry => true,
            Wish::Resolve => work.kind == "event",
            Wish::Answer(_) => work.kind == "call",
        };
        return Ok(if fits { Done::NotNow(work) } else { Done::WrongKind(work) });
    }
    sqlx::query("insert into parked_actions (by_whom, action, work_id, order_id, note) values ($1, $2, $3, $4, $5)")
        .bind(signature.by)
        .bind(wish.as_str())
        .bind(id)
        .bind(work.saga_id)
        .bind(signature.note)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(Done::Yes(work))
}

async fn look(db: &mut PgConnection, id: Uuid) -> sqlx::Result<Option<Work>> {
    sqlx::query_as(
        "select id, 'call' as kind, order_id, kind as what, status, tries, last_error as error, updated_at as since
         from attempts where id = $1
         union all
         select event_id, 'event', order_id, what, status, tries, error, parked_at from parked_events where event_id = $1",
    )
    .bind(id)
    .fetch_optional(db)
    .await
}

async fn retry(db: &mut PgConnection, id: Uuid) -> sqlx::Result<bool> {
    let calls = sqlx::query(
        "update attempts set status = 'open', answer = null, tries = 0, next_at = now(), updated_at = now()
         where id = $1 and status = 'parked'",
    );
    let events = sqlx::query("update parked_events set status = 'retry' where event_id = $1 and status = 'parked'");
    Ok(calls.bind(id).execute(&mut *db).await?.rows_affected() == 1
        || events.bind(id).execute(db).await?.rows_affected() == 1)
}

async fn resolve(db: &mut PgConnection, id: Uuid) -> sqlx::Result<bool> {
    // An event that only waits can be settled too; it is skipped when its turn comes.
    let events = sqlx::query(
        "update parked_events set status = 'settled', settled_at = now() where event_id = $1 and status <> 'settled'",
    );
    Ok(events.bind(id).execute(db).await?.rows_affected() == 1)
}

async fn answer(db: &mut PgConnection, id: Uuid, word: &str) -> sqlx::Result<bool> {
    let calls = sqlx::query(
        "update attempts set status = 'open', answer = $2, tries = 0, next_at = now(), updated_at = now()
         where id = $1 and status = 'parked'",
    );
    Ok(calls.bind(id).bind(word).execute(db).await?.rows_affected() == 1)
}
