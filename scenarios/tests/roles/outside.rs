//! What no role may do outside its tables.

use saga::outbox::roles::KINDS;
use scenarios::stack::{Database, OWNER};
use secrecy::ExposeSecret;
use sqlx::{Connection, PgConnection};

use crate::ground::{Ground, REFUSED, is_refused, tried};

/// Refused to every role of a database, and to its owner where it says so.
const REFUSED_TO_ALL: [(&str, bool); 18] = [
    ("create table public.ours (id int)", false),
    ("create function public.ours() returns int language sql as 'select 1'", false),
    ("create type public.ours as enum ()", false),
    ("create schema ours", false),
    ("create temporary table ours (id int)", false),
    ("create role ours", true),
    ("create database ours", true),
    ("alter system set fsync = off", true),
    ("set session_replication_role = replica", true),
    ("select pg_read_file('/etc/passwd')", true),
    ("select pg_ls_dir('/')", true),
    ("copy (select 1) to program 'true'", true),
    ("copy (select 1) to '/tmp/ours'", true),
    ("select lo_import('/etc/passwd')", true),
    // Large objects, which no limit bounds.
    ("select lo_creat(-1)", true),
    ("select lo_create(0)", true),
    ("select lo_from_bytea(0, 'ours')", true),
    ("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'postgres'", true),
];

#[tokio::test]
async fn no_role_reaches_beyond_its_own_tables() {
    let ground = Ground::of(&[Database::ORDERS]).await;
    // A session to end.
    let _superuser = ground.admin(Database::ORDERS).await;
    for kind in KINDS.into_iter().chain([OWNER]) {
        let mut db = ground.connect(Database::ORDERS, kind).await;
        for (sql, to_owner) in REFUSED_TO_ALL {
            // These two run in no transaction.
            let refused = match ["create database", "alter system"].iter().any(|alone| sql.starts_with(alone)) {
                true => tried(&mut db, sql).await == Err(REFUSED.to_owned()),
                false => is_refused(&mut db, sql).await,
            };
            assert!(kind == OWNER && !to_owner || refused, "{kind}: {sql}");
        }
        for other in KINDS.into_iter().chain([OWNER]).filter(|other| *other != kind) {
            let sql = format!("set role orders_{other}");
            assert!(is_refused(&mut db, &sql).await, "{kind}: {sql}");
        }
        for role in ["postgres", "accounts_app", "pg_read_all_data", "pg_monitor", "pg_execute_server_program"] {
            assert!(is_refused(&mut db, &format!("set role {role}")).await, "{kind}: {role}");
            assert!(is_refused(&mut db, &format!("grant {role} to current_user")).await, "{kind}: {role}");
        }
    }
    ground.stop().await;
}

#[tokio::test]
async fn no_role_opens_another_database_unless_it_is_let_in() {
    let ground = Ground::bare().await;
    let elsewhere = |kind: &str, database: &str| {
        let url = ground.roles.url(Database::ORDERS, kind).expose_secret();
        format!("{}/{database}", url.rsplit_once('/').unwrap().0)
    };
    let others = Database::OF_THE_SHOP.into_iter().filter(|other| *other != Database::ORDERS).map(Database::name);
    for other in others.chain(["postgres", "template1"]) {
        for kind in KINDS.into_iter().chain([OWNER]) {
            let refused = PgConnection::connect(&elsewhere(kind, other)).await.expect_err(other);
            let code = refused.into_database_error().and_then(|error| error.code().map(|code| code.into_owned()));
            assert_eq!(code.as_deref(), Some(REFUSED), "{kind} in {other}");
        }
    }
    // Without the lock.
    let mut admin = ground.admin(Database::ACCOUNTS).await;
    tried(&mut admin, "grant connect on database accounts to public").await.unwrap();
    assert!(PgConnection::connect(&elsewhere("app", "accounts")).await.is_ok());
    ground.stop().await;
}
