//! A database of keys for each test, with a role for each use.

use std::{path::PathBuf, sync::Arc};

use personal_data::{Keeper, Roles, Vault};
use sealing::{KeyId, KeyringFile, State};
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tempfile::TempDir;

pub(crate) struct Keys {
    name: String,
    directory: TempDir,
    /// The database's superuser.
    pub(crate) superuser: PgPool,
}

fn server() -> PgConnectOptions {
    let url =
        std::env::var("TEST_DATABASE_URL").expect("TEST_DATABASE_URL is not set: run the test with `scenarios exec`");
    url.parse().unwrap()
}

async fn on_server(statements: &[String]) {
    let mut session: PgConnection = server().connect().await.unwrap();
    for statement in statements {
        sqlx::query(AssertSqlSafe(statement.clone())).execute(&mut session).await.unwrap();
    }
    session.close().await.unwrap();
}

impl Keys {
    pub(crate) async fn create() -> Keys {
        // The process's id and a counter: tests of one run are apart, and so are runs on one server.
        static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let name = format!("personal_{}_{count}", std::process::id());
        let roles = ["k", "r", "e"].map(|role| format!("create role {name}_{role} login password '{role}'"));
        on_server(&roles).await;
        on_server(&[format!("create database {name}")]).await;
        let superuser = PgPoolOptions::new().max_connections(4).connect_lazy_with(server().database(&name));
        let [keeper, reader, eraser] = ["k", "r", "e"].map(|role| format!("{name}_{role}"));
        let roles = Roles { keeper: &keeper, reader: &reader, eraser: &eraser };
        personal_data::prepare(&superuser, roles).await.unwrap();
        personal_data::prepare(&superuser, roles).await.unwrap();
        let keys = Keys { name, directory: TempDir::new().unwrap(), superuser };
        keys.keyring().add(&"first".parse().unwrap()).unwrap();
        keys
    }

    pub(crate) fn keyring_path(&self) -> PathBuf {
        self.directory.path().join("keyring")
    }

    pub(crate) fn keyring(&self) -> KeyringFile {
        KeyringFile::open_or_create(&self.keyring_path()).unwrap()
    }

    /// Another key becomes the active one of the keyring.
    pub(crate) fn renew(&self, id: &str) {
        let id: KeyId = id.parse().unwrap();
        assert!(self.keyring().add(&id).unwrap());
        self.keyring().set(&id, State::Active).unwrap();
    }

    pub(crate) fn options(&self, role: &str) -> PgConnectOptions {
        server().database(&self.name).username(&format!("{}_{role}", self.name)).password(role)
    }

    pub(crate) fn keeper_as(&self, role: &str) -> Keeper {
        Keeper::new(self.options(role), Arc::new(self.keyring()))
    }

    /// What takes texts in.
    pub(crate) fn keeping(&self) -> Vault {
        self.keeper_as("k").into()
    }

    /// What only opens them.
    pub(crate) fn reading(&self) -> Vault {
        self.keeper_as("r").into()
    }

    pub(crate) async fn sql(&self, sql: &str) -> u64 {
        sqlx::query(AssertSqlSafe(sql.to_owned())).execute(&self.superuser).await.unwrap().rows_affected()
    }

    pub(crate) async fn drop(self) {
        self.superuser.close().await;
        let roles = ["k", "r", "e"].map(|role| format!("drop role {}_{role}", self.name));
        on_server(&[format!("drop database {} with (force)", self.name)]).await;
        on_server(&roles).await;
    }
}
