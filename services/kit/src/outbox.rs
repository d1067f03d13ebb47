//! What there is to say: written with the change that it is about, published by the relay.

use events::{EventId, OrderId};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::{says::Said, store::StoreError};

/// The largest payload, in bytes: what Kafka takes by default, less room for headers and for the spaces that `jsonb` puts
/// behind commas and colons.
pub const MAX_PAYLOAD_BYTES: usize = 700_000;

/// One event on its way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing<'a> {
    pub said: &'a Said,
    pub causation_id: Option<EventId>,
    pub traceparent: String,
}

/// Declares the publisher that the database's outbox belongs to: rows that name another are refused from then on.
///
/// # Errors
/// If it belongs to another one.
pub async fn declare(pool: &PgPool, publisher: &str) -> sqlx::Result<()> {
    sqlx::query("select declare_publisher($1)").bind(publisher).execute(pool).await.map(drop)
}

/// Writes events into the outbox, in their order: one statement.
pub async fn write(db: &mut PgConnection, outgoing: &[Outgoing<'_>]) -> Result<(), StoreError> {
    if outgoing.is_empty() {
        return Ok(());
    }
    for Outgoing { said, .. } in outgoing {
        if said.payload.len() > MAX_PAYLOAD_BYTES {
            return Err(StoreError::TooLarge {
                event_type: said.event_type,
                order_id: said.order_id,
                bytes: said.payload.len(),
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
