//! A database for each test, and events in its outbox.

use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, PgExecutor, postgres::PgConnectOptions};
use uuid::Uuid;

pub(super) async fn create(name: &str) -> PgConnectOptions {
    execute(format!("create database {name}")).await;
    server().database(name)
}

pub(super) async fn drop(name: &str) {
    execute(format!("drop database {name} with (force)")).await;
}

fn server() -> PgConnectOptions {
    super::required("TEST_DATABASE_URL").parse().unwrap()
}

async fn execute(sql: String) {
    let mut session: PgConnection = server().connect().await.unwrap();
    sqlx::query(AssertSqlSafe(sql)).execute(&mut session).await.unwrap();
    session.close().await.unwrap();
}

/// Appends an event as a service does, within whatever transaction `db` is in.
pub(crate) async fn append(
    db: impl PgExecutor<'_>,
    aggregatetype: &str,
    key: &str,
    event_type: &str,
    payload: serde_json::Value,
) -> Uuid {
    let id = Uuid::now_v7();
    sqlx::query("insert into outbox (id, aggregatetype, aggregateid, type, payload) values ($1, $2, $3, $4, $5)")
        .bind(id)
        .bind(aggregatetype)
        .bind(key)
        .bind(event_type)
        .bind(payload)
        .execute(db)
        .await
        .unwrap();
    id
}

/// Appends an event with `created_at` as the time at which it was written.
pub(crate) async fn append_at(db: impl PgExecutor<'_>, aggregatetype: &str, name: &str, created_at: DateTime<Utc>) {
    sqlx::query(
        "insert into outbox (id, aggregatetype, aggregateid, type, payload, created_at) values ($1, $2, 'k', $3, '{}', $4)",
    )
    .bind(Uuid::now_v7())
    .bind(aggregatetype)
    .bind(name)
    .bind(created_at)
    .execute(db)
    .await
    .unwrap();
}
