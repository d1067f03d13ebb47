//! A database of the test's own, with all tables.

use std::str::FromStr;

use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool, postgres::PgConnectOptions};
use uuid::Uuid;

pub(crate) struct Database {
    pub(crate) pool: PgPool,
    server: PgConnectOptions,
    name: String,
}

impl Database {
    /// Made on the server that `TEST_DATABASE_URL` names; its user has to be allowed to create databases.
    pub(crate) async fn create() -> Database {
        let url = std::env::var("TEST_DATABASE_URL")
            .expect("TEST_DATABASE_URL is set to postgres://superuser@host:port/postgres");
        let server = PgConnectOptions::from_str(&url).expect("TEST_DATABASE_URL is a database URL");
        let name = format!("payment_test_{}", Uuid::now_v7().simple());
        administer(&server, format!("create database {name}")).await;
        let pool = PgPool::connect_with(server.clone().database(&name)).await.expect("the new database");
        kit::migrate(&pool, &payment::MIGRATIONS).await.expect("migrations");
        Database { pool, server, name }
    }

    pub(crate) async fn drop(self) {
        self.pool.close().await;
        administer(&self.server, format!("drop database {} with (force)", self.name)).await;
    }
}

async fn administer(server: &PgConnectOptions, statement: String) {
    let mut connection = PgConnection::connect_with(server).await.expect("the server of TEST_DATABASE_URL");
    sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await.expect("a superuser");
}
