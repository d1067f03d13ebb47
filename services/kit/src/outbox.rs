//! Events to be published: written with the change that they are about, published by the relay.

use events::{EventId, OrderId, envelope::MAX_VALUE_BYTES};
use futures::{FutureExt, TryFutureExt, future::BoxFuture};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::{says::Said, store::StoreError};

/// The largest payload, in bytes, as Postgres renders it: what is written is what readers take.
pub const MAX_PAYLOAD_BYTES: usize = MAX_VALUE_BYTES;

/// An upper bound of the bytes of `json::jsonb::text`, for valid JSON. Postgres puts a space behind each comma and colon and
/// writes exponents out; it writes no character longer than it was, and drops blanks and names that come twice.
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
                // A sign, a point and a zero may come along.
                added = added.saturating_add(exponent).saturating_add(3);
            }
            _ => {}
        }
        place += 1;
    }
    bytes.len().saturating_add(added)
}

/// The place of the quotation mark that ends the string that begins at `start`.
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

/// One event on its way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing<'a> {
    pub said: &'a Said,
    pub causation_id: Option<EventId>,
    pub traceparent: String,
}

/// Declares the publisher that the database's outbox belongs to. Locks no table: rows that name another are refused from the
/// next round of the upkeep on, which does not wait behind a dump, and nobody behind it.
///
/// # Errors
/// If it belongs to another one.
pub async fn declare(pool: &PgPool, publisher: &str) -> sqlx::Result<()> {
    let declare = "insert into outbox_publisher (name) values ($1) on conflict (only_row) do nothing";
    sqlx::query(declare).bind(publisher).execute(pool).await?;
    let declared: String = sqlx::query_scalar("select name from outbox_publisher").fetch_one(pool).await?;
    if declared == publisher {
        return Ok(());
    }
    let error = format!("this database belongs to the publisher {declared}, not to {publisher}");
    Err(sqlx::Error::Configuration(error.into()))
}

/// Has the table refuse rows that name another publisher than the declared one.
pub(crate) fn refuse_others(db: &mut PgConnection) -> BoxFuture<'_, sqlx::Result<()>> {
    sqlx::query("select declare_publisher(name) from outbox_publisher").execute(db).map_ok(drop).boxed()
}

/// Writes events into the outbox, in their order: one statement.
pub async fn write(db: &mut PgConnection, outgoing: &[Outgoing<'_>]) -> Result<(), StoreError> {
    if outgoing.is_empty() {
        return Ok(());
    }
    for Outgoing { said, .. } in outgoing {
        let bytes = rendered_at_most(&said.payload);
        if bytes > MAX_PAYLOAD_BYTES {
            return Err(StoreError::TooLarge {
                event_type: said.event_type,
                order_id: said.order_id,
                bytes,
                limit: MAX_PAYLOAD_BYTES,
            });
        }
    }
    let column = |text: fn(&Said) -> &str| -> Vec<&str> { outgoing.iter().map(|out| text(out.said)).collect() };
    let ids: Vec<Uuid> = outgoing.iter().map(|_| EventId::new().0).collect();
    let aggregate_ids: Vec<String> = outgoing.iter().map(|out| OrderId::to_string(&out.said.order_id)).collect();
    let causation_ids: Vec<Option<Uuid>> = outgoing.iter().map(|out| out.causation_id.map(|id| id.0)).collect();
    let traceparents: Vec<&str> = outgoing.iter().map(|out| out.traceparent.as_str()).collect();
    // `with ordinality … order by` makes the sequence be drawn in our order.
    sqlx::query(
        "insert into outbox (id, aggregatetype, aggregateid, type, payload, causationid, traceparent)
         select id, aggregatetype, aggregateid, type, payload::jsonb, causationid, traceparent
         from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::uuid[], $7::text[])
              with ordinality as o (id, aggregatetype, aggregateid, type, payload, causationid, traceparent, place)
         order by place",
    )
    .bind(&ids)
    .bind(column(|said| said.aggregatetype))
    .bind(&aggregate_ids)
    .bind(column(|said| said.event_type))
    .bind(column(|said| &said.payload))
    .bind(&causation_ids)
    .bind(&traceparents)
    .execute(db)
    .await?;
    Ok(())
}
