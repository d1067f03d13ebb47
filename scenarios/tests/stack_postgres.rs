//! The private Postgres: durable, closed between services, removed without a trace.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails as a test does")]

use std::{collections::BTreeSet, os::unix::fs::PermissionsExt, path::Path};

use scenarios::stack::{Database, Manifest, Postgres, StateDir};
use secrecy::ExposeSecret;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

async fn start() -> Postgres {
    start_for(&Manifest::of_the_shop()).await
}

async fn start_for(manifest: &Manifest) -> Postgres {
    let directory = tempfile::tempdir().unwrap();
    Postgres::start(manifest, None, &StateDir::create_in(directory.path()).unwrap()).await.unwrap()
}

async fn connect(url: &str) -> Result<PgConnection, sqlx::Error> {
    PgConnection::connect(url).await
}

async fn setting(connection: &mut PgConnection, name: &str) -> String {
    sqlx::query_scalar(AssertSqlSafe(format!("show {name}"))).fetch_one(connection).await.unwrap()
}

#[tokio::test]
async fn what_is_committed_stays_committed() {
    let postgres = start().await;
    let mut admin = connect(postgres.admin_url().expose_secret()).await.unwrap();
    for name in ["fsync", "synchronous_commit", "full_page_writes"] {
        assert_eq!(setting(&mut admin, name).await, "on", "{name}");
    }
    assert_eq!(setting(&mut admin, "listen_addresses").await, "127.0.0.1");
    assert_eq!(setting(&mut admin, "max_connections").await, "300");
    drop(admin);
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn no_role_opens_another_roles_database() {
    let manifest = tempfile::NamedTempFile::new().unwrap();
    // A word of SQL.
    std::fs::write(manifest.path(), "[[programs]]\nname = 'loyalty'\ndatabase = 'user'\n").unwrap();
    let postgres = start_for(&Manifest::with_file(manifest.path()).unwrap()).await;
    for (&own, url) in postgres.databases() {
        let url = url.expose_secret();
        let mut connection = connect(url).await.unwrap();
        sqlx::query("create table mine (id int)").execute(&mut connection).await.unwrap();
        let others = Database::OF_THE_SHOP.into_iter().filter(|&other| other != own).map(Database::name);
        for other in others.chain(["postgres", "template1"]) {
            let (server, _) = url.rsplit_once('/').unwrap();
            let refused = connect(&format!("{server}/{other}")).await.expect_err(other);
            let code = refused.into_database_error().and_then(|error| error.code().map(|code| code.into_owned()));
            assert_eq!(code.as_deref(), Some("42501"), "{own} on {other}: insufficient privilege");
        }
    }
    let passwords: BTreeSet<&str> = postgres.databases().values().map(|url| url.expose_secret()).collect();
    assert_eq!(passwords.len(), Database::OF_THE_SHOP.len() + 1);
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn a_wrong_password_is_refused() {
    let postgres = start().await;
    let url = postgres.databases()[&Database::ORDERS].expose_secret();
    let (_, address) = url.split_once('@').unwrap();
    assert!(connect(&format!("postgres://orders:guess@{address}")).await.is_err());
    postgres.stop().await.unwrap();
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn never_runs_as_root() {
    use std::os::linux::fs::MetadataExt;
    let postgres = start().await;
    let process = std::fs::metadata(format!("/proc/{}", postgres.pid().unwrap())).unwrap();
    assert_ne!(process.st_uid(), 0);
    postgres.stop().await.unwrap();
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn leaves_neither_process_nor_data() {
    for orderly in [true, false] {
        let postgres = start().await;
        let process = format!("/proc/{}", postgres.pid().unwrap());
        let mut admin = connect(postgres.admin_url().expose_secret()).await.unwrap();
        let data = setting(&mut admin, "data_directory").await;
        let own = Path::new(&data).parent().unwrap().metadata().unwrap();
        assert_eq!(own.permissions().mode() & 0o777, 0o700, "others can't look in");
        // A connected client must not keep the server alive.
        if orderly {
            postgres.stop().await.unwrap();
        } else {
            drop(postgres);
        }
        assert!(!Path::new(&process).exists(), "orderly: {orderly}");
        assert!(!Path::new(&data).exists(), "orderly: {orderly}");
    }
}
