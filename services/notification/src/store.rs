//! The notification's SQL.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use events::{OrderId, UserId, erasure::Scrubs};
use personal_data::Vault;
use saga::{
    Rows, StoreError,
    store::{all_inserted, erase_kept, parse},
};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::domain::{Command, Correspondence, Notice};

pub(crate) async fn load(
    db: &mut PgConnection,
    commands: &[&Command],
    vault: &Vault,
) -> Result<Correspondence, StoreError> {
    let orders: Vec<Uuid> = commands.iter().map(|command| command.order_id().0).collect();
    let users: Vec<i64> = commands
        .iter()
        .filter_map(|command| match command {
            Command::Tell { order, .. } => Some(order.user_id.0),
            Command::NoteSent { .. } | Command::GiveUp { .. } | Command::Scrub(_) => None,
        })
        .collect();
    // First, before any row is locked: the keys are elsewhere.
    let keys = vault.keys_for(&users).await?.usable()?;
    let (notices, contacts) = (notices(db, &orders).await?, contacts(db, &users).await?);
    Ok(Correspondence { keys, notices, contacts, scrubs: Scrubs::default() })
}

async fn notices(db: &mut PgConnection, orders: &[Uuid]) -> Result<Rows<OrderId, Notice>, StoreError> {
    type Row = (Uuid, String, String, String, String, Option<DateTime<Utc>>);
    let rows: Vec<Row> = sqlx::query_as(
        "select order_id, kind, recipient, subject, body, sent_at from notifications
         where order_id = any($1) order by order_id for update",
    )
    .bind(orders)
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|(order, kind, recipient, subject, body, sent_at)| {
            let kind = parse("notifications", order, &kind)?;
            Ok((OrderId(order), Notice { kind, recipient, subject, body, sent_at }))
        })
        .collect::<Result<Vec<_>, StoreError>>()
        .map(Rows::loaded)
}

async fn contacts(db: &mut PgConnection, users: &[i64]) -> Result<BTreeMap<UserId, String>, StoreError> {
    if users.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows: Vec<(i64, String)> = sqlx::query_as("select user_id, address from contacts where user_id = any($1)")
        .bind(users)
        .fetch_all(db)
        .await?;
    Ok(rows.into_iter().map(|(user, address)| (UserId(user), address)).collect())
}

pub(crate) async fn save(db: &mut PgConnection, rows: &Correspondence) -> Result<(), StoreError> {
    insert(db, &rows.notices.new_rows()).await?;
    note_sent(db, &rows.notices.changed_rows()).await?;
    for (user, orders) in rows.scrubs.iter() {
        let ids: Vec<Uuid> = orders.iter().map(|order| order.0).collect();
        sqlx::query("select erase_letters($1, $2)").bind(user.0).bind(ids).execute(&mut *db).await?;
        erase_kept(db, orders).await?;
    }
    Ok(())
}

async fn insert(db: &mut PgConnection, rows: &[(&OrderId, &Notice)]) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let inserted = sqlx::query(
        "insert into notifications (order_id, kind, recipient, subject, body, sent_at)
         select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[])
         on conflict do nothing",
    )
    .bind(rows.iter().map(|(order, _)| order.0).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, row)| row.kind.as_str()).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, row)| row.recipient.as_str()).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, row)| row.subject.as_str()).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, row)| row.body.as_str()).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, row)| row.sent_at).collect::<Vec<_>>())
    .execute(db)
    .await?;
    all_inserted("notifications", rows.len(), inserted.rows_affected())
}

/// A letter never changes once written; only its delivery is recorded.
async fn note_sent(db: &mut PgConnection, rows: &[(&OrderId, &Notice)]) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "update notifications n set sent_at = s.sent_at
         from unnest($1::uuid[], $2::timestamptz[]) s (order_id, sent_at) where n.order_id = s.order_id",
    )
    .bind(rows.iter().map(|(order, _)| order.0).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, row)| row.sent_at).collect::<Vec<_>>())
    .execute(db)
    .await?;
    Ok(())
}
