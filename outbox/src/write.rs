//! Outgoing events: written in the transaction of the change, published by the relay.

use std::borrow::Cow;

use serde::Serialize;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::{EventId, Publisher, envelope::MAX_VALUE_BYTES};

/// Maximum size in bytes of a payload as Postgres renders it, so that everything written can be read.
pub const MAX_PAYLOAD_BYTES: usize = MAX_VALUE_BYTES;

/// Upper bound of the length of `json::jsonb::text` in bytes, for valid JSON. Postgres adds a space after each comma and
/// colon and expands exponents; it lengthens no other character, and drops whitespace and duplicate keys.
pub fn rendered_at_most(json: &str) -> usize {
    let bytes = json.as_bytes();
    let (mut added, mut place) = (0_usize, 0);
    while let Some(&byte) = bytes.get(place) {
        match byte {
            b'"' => place = end_of_string(bytes, place),
            b',' | b':' => added += 1,
            b'e' | b'E' if place > 0 && bytes[place - 1].is_ascii_digit() => {
                let digits = bytes[place + 1..].iter().copied().skip_while(|byte| matches!(byte, b'+' | b'-'));
                let exponent = digits
                    .take_while(u8::is_ascii_digit)
                    .fold(0_usize, |number, digit| number.saturating_mul(10).saturating_add(usize::from(digit - b'0')));
                // Allows for a sign, a point and a zero.
                added = added.saturating_add(exponent).saturating_add(3);
            }
            _ => {}
        }
        place += 1;
    }
    bytes.len().saturating_add(added)
}

/// Index of the quotation mark that ends the string that begins at `start`.
fn end_of_string(bytes: &[u8], start: usize) -> usize {
    let mut place = start + 1;
    while let Some(&byte) = bytes.get(place) {
        match byte {
            b'"' => return place,
            b'\\' => place += 2,
            _ => place += 1,
        }
    }
    bytes.len()
}

/// An outgoing event: the columns of Debezium's outbox event router, plus CloudEvents attributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing<'a> {
    /// Event type, `ce_type`.
    pub event_type: &'a str,
    /// Version of the data's schema, from 1 to `i32::MAX`: `ce_dataversion`.
    pub version: u32,
    /// Name of the publisher; determines the topic.
    pub aggregatetype: &'a str,
    /// Subject of the event: the record's key and `ce_subject`.
    pub aggregateid: Cow<'a, str>,
    /// Data as JSON, at most [`MAX_PAYLOAD_BYTES`].
    pub payload: Cow<'a, str>,
    /// Event that caused this one.
    pub causation_id: Option<EventId>,
    /// W3C trace context.
    pub traceparent: Option<String>,
}

impl<'a> Outgoing<'a> {
    /// An event of this publisher, a service, about `aggregateid`, with this data, of version 1 and without a cause.
    ///
    /// # Errors
    /// If `data` cannot be expressed in JSON, such as a map whose keys are not strings.
    pub fn new(
        publisher: Publisher,
        event_type: &'a str,
        aggregateid: impl ToString,
        data: &impl Serialize,
    ) -> serde_json::Result<Self> {
        Ok(Outgoing {
            event_type,
            version: 1,
            aggregatetype: publisher.name(),
            aggregateid: Cow::Owned(aggregateid.to_string()),
            payload: Cow::Owned(serde_json::to_string(data)?),
            causation_id: None,
            traceparent: None,
        })
    }
}

/// Reason why events were not written. None of them was.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what each means")]
pub enum WriteError {
    #[error(transparent)]
    Sql(#[from] sqlx::Error),
    /// An event is too large for its consumers. Rejected here, at the source, so that it never blocks the relay.
    #[error("the event {event_type} of {aggregateid} has {bytes} bytes; the limit is {limit}")]
    TooLarge { event_type: String, aggregateid: String, bytes: usize, limit: usize },
}

/// Declares which publisher owns the database's outbox. Locks no table: rows of other publishers are rejected from the
/// next round of upkeep on, so a running dump delays nothing.
///
/// # Errors
/// If it belongs to another publisher.
pub async fn declare(pool: &PgPool, publisher: &str) -> sqlx::Result<()> {
    const DECLARED: &str = "select name from outbox_publisher";
    let declared: Option<String> = sqlx::query_scalar(DECLARED).fetch_optional(pool).await?;
    let declared = match declared {
        Some(declared) => declared,
        // Only the owner of the table may do this.
        None => {
            let declare = "insert into outbox_publisher (name) values ($1) on conflict (only_row) do nothing";
            sqlx::query(declare).bind(publisher).execute(pool).await?;
            sqlx::query_scalar(DECLARED).fetch_one(pool).await?
        }
    };
    if declared == publisher {
        return Ok(());
    }
    let error = format!("this database belongs to the publisher {declared}, not to {publisher}");
    Err(sqlx::Error::Configuration(error.into()))
}

/// Makes the table reject rows of any publisher but the declared one. Locks the table for a moment: call it in a
/// transaction of its own, with a `lock_timeout`.
///
/// # Errors
/// If the lock cannot be taken, or the database is unavailable.
pub async fn refuse_others(db: &mut PgConnection) -> sqlx::Result<()> {
    // A role that may not call the function asks first: the owner has called it.
    let refused: bool = sqlx::query_scalar(
        "select exists (select from pg_constraint
                        where conrelid = 'outbox'::regclass and conname = 'outbox_names_its_publisher')",
    )
    .fetch_one(&mut *db)
    .await?;
    if refused {
        return Ok(());
    }
    sqlx::query("select declare_publisher(name) from outbox_publisher").execute(db).await.map(drop)
}

/// Writes events into the outbox, in order, with one statement in the caller's transaction.
///
/// They are published if that transaction commits. Two transactions that write about the same aggregate are published in
/// commit order if each locks the aggregate's row before it writes here.
///
/// # Errors
/// If an event is too large, or the database refuses them.
pub async fn write(db: &mut PgConnection, outgoing: &[Outgoing<'_>]) -> Result<(), WriteError> {
    if outgoing.is_empty() {
        return Ok(());
    }
    for event in outgoing {
        let bytes = rendered_at_most(&event.payload);
        if bytes > MAX_PAYLOAD_BYTES {
            let (event_type, aggregateid) = (event.event_type.to_owned(), event.aggregateid.to_string());
            return Err(WriteError::TooLarge { event_type, aggregateid, bytes, limit: MAX_PAYLOAD_BYTES });
        }
    }
    let ids: Vec<Uuid> = outgoing.iter().map(|_| EventId::new().0).collect();
    let publishers: Vec<&str> = outgoing.iter().map(|event| event.aggregatetype).collect();
    let aggregates: Vec<&str> = outgoing.iter().map(|event| &*event.aggregateid).collect();
    let types: Vec<&str> = outgoing.iter().map(|event| event.event_type).collect();
    // A version that is out of range is refused by the table.
    let versions: Vec<i32> = outgoing.iter().map(|event| i32::try_from(event.version).unwrap_or(0)).collect();
    let payloads: Vec<&str> = outgoing.iter().map(|event| &*event.payload).collect();
    let causes: Vec<Option<Uuid>> = outgoing.iter().map(|event| event.causation_id.map(|id| id.0)).collect();
    let traceparents: Vec<Option<&str>> = outgoing.iter().map(|event| event.traceparent.as_deref()).collect();
    // `with ordinality … order by` draws the sequence in this order.
    sqlx::query(
        "insert into outbox (id, aggregatetype, aggregateid, type, payload, causationid, traceparent, dataversion)
         select id, aggregatetype, aggregateid, type, payload::jsonb, causationid, traceparent, dataversion
         from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::uuid[], $7::text[], $8::int[])
              with ordinality
              as o (id, aggregatetype, aggregateid, type, payload, causationid, traceparent, dataversion, place)
         order by place",
    )
    .bind(&ids)
    .bind(&publishers)
    .bind(&aggregates)
    .bind(&types)
    .bind(&payloads)
    .bind(&causes)
    .bind(&traceparents)
    .bind(&versions)
    .execute(db)
    .await?;
    Ok(())
}

/// Notification channel that tells a relay to poll at once.
pub const CHANNEL: &str = "outbox";

/// Notifies the relay of rows to publish. A notification in the writing transaction would serialize all commits of the
/// server; call this after the commit, on its own, and not for each event. A lost one does no harm: the relay also polls.
///
/// # Errors
/// If the database is away.
pub async fn notify(db: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!("notify {CHANNEL}"))).execute(db).await.map(drop)
}
