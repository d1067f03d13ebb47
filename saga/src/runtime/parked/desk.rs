//! What a person sees of parked work and does about it. Every action is written down.

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection, PgPool};
use uuid::Uuid;

use super::shelf;
use crate::record::Record;

/// Something that waits, or has waited, for a person.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Work {
    /// The event's id, or the attempt's.
    pub id: Uuid,
    /// `event` or `call`.
    pub kind: String,
    /// The saga that waits.
    #[sqlx(rename = "order_id")]
    pub saga_id: Uuid,
    /// The event's type, or what is called.
    pub what: String,
    /// `parked`, `waiting`, `retry` or `settled`; of a call `parked` or `resolved`.
    pub status: String,
    /// Times that it was tried.
    pub tries: i32,
    /// What went wrong the last time.
    pub error: Option<String>,
    /// Since when it stands so.
    pub since: DateTime<Utc>,
}

/// What somebody has done about it.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Action {
    /// When it was done.
    pub at: DateTime<Utc>,
    /// The person.
    pub by_whom: String,
    /// `retry`, `resolve` or `answer`.
    pub action: String,
    /// Why, in the person's words.
    pub note: String,
}

/// Everything about one piece of parked work.
#[derive(Debug, Clone, PartialEq)]
pub struct Details {
    /// The piece of work.
    pub work: Work,
    /// What it is about.
    pub content: Content,
    /// Oldest first.
    pub actions: Vec<Action>,
}

/// What was to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// The event as it was read from Kafka.
    Event(Record),
    /// What is asked of the outside, and under which idempotency key.
    Call {
        /// What to call with.
        request: serde_json::Value,
        /// The same on every try.
        idempotency_key: String,
    },
}

/// What a person wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish<'a> {
    /// Try it again; a call is made, whatever it was answered before.
    Retry,
    /// The event is dealt with: do not try it again. Nothing is said on its behalf, so no call can be resolved: a saga waits
    /// for its answer.
    Resolve,
    /// The call was settled with the other side by hand, and this word of its service says how. The service decides what
    /// follows as it does after a real answer.
    Answer(&'a str),
}

impl Wish<'_> {
    /// The word in `parked_actions`.
    fn as_str(self) -> &'static str {
        match self {
            Wish::Retry => "retry",
            Wish::Resolve => "resolve",
            Wish::Answer(_) => "answer",
        }
    }
}

/// The person who acts, and the reason.
#[derive(Debug, Clone, Copy)]
pub struct Signature<'a> {
    /// The person.
    pub by: &'a str,
    /// Why, in the person's words.
    pub note: &'a str,
}

/// What has become of a wish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// It is so now.
    Yes(Work),
    /// Nothing was changed, since the work does not wait for that: its status tells why.
    NotNow(Work),
    /// Nothing was changed, since the work is of the other kind: an event has no answer, and a call nothing but one.
    WrongKind(Work),
    /// There is no such work here.
    Unknown,
}

/// All that is parked, and what waits behind it: oldest first.
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

/// Everything about the work with this id, also when it has been settled.
pub async fn find(pool: &PgPool, id: Uuid) -> sqlx::Result<Option<Details>> {
    let mut db = pool.acquire().await?;
    let Some(work) = look(&mut db, id).await? else { return Ok(None) };
    let content = if work.kind == "event" {
        let row = sqlx::query("select * from parked_events where event_id = $1").bind(id).fetch_one(&mut *db).await?;
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

/// Carries out a wish and writes down whose it was, in one transaction. The service itself does the rest within a second or
/// two: it makes the call, or processes the event and then those behind it. Wished twice, it happens once.
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
    // Also one that only waits: then it is passed over when its turn comes.
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
