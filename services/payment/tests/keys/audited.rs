//! What operators do to keys is in the audit log before it happens, or does not happen.

use audit_log::{AUDIT_DATABASE_URL, Reader, Roles, Wanted};
use saga::{sqlx::migrate::Migrator, testing::TestDatabase, transport::Transport};

use crate::{
    program::{keys, shown},
    shop::Shop,
};

/// A database with an audit log, which the server's superuser writes and reads.
async fn log() -> TestDatabase {
    let log = TestDatabase::create(&Migrator::DEFAULT).await;
    // A new database has a service's tables; the log's migrations are another set.
    log.run("drop table _sqlx_migrations").await;
    let user: String = sqlx::query_scalar("select current_user::text").fetch_one(log.pool()).await.expect("a user");
    audit_log::prepare(log.pool(), Roles { writer: &user, reader: &user }).await.expect("prepared");
    log
}

async fn lines(log: &TestDatabase) -> Vec<String> {
    let reader = Reader::new(&Transport::plain(), &log.url().into()).expect("a reader");
    let wanted = Wanted { latest: 100, ..Wanted::default() };
    let entries = reader.list(&wanted).await.expect("read");
    entries.iter().map(ToString::to_string).collect()
}

async fn run(shop: &Shop, log: &str, arguments: &[&str]) -> (bool, String) {
    let mut command = keys(shop, arguments);
    command.env("USER", "ophelia").env(AUDIT_DATABASE_URL, log);
    let output = tokio::task::spawn_blocking(move || command.output()).await.expect("it ends").expect("it starts");
    (output.status.success(), shown(shop, &output))
}

#[tokio::test]
async fn acts_on_keys_are_recorded_before_they_happen() {
    let (shop, log) = (Shop::open().await, log().await);
    shop.card(1, 1).await;
    for (arguments, succeeds) in [
        (&["add", "2026-11", "--note", "yearly"][..], true),
        (&["retire", "a"], false),
        (&["rotate", "--to", "2026-11"], true),
        (&["rotate"], true),
        (&["retire", "a", "--note", "no row\nneeds it"], true),
        (&["list"], true),
    ] {
        let (success, said) = run(&shop, &log.url(), arguments).await;
        assert_eq!(success, succeeds, "{arguments:?}: {said}");
    }
    let said = lines(&log).await;
    let expected = [
        "ophelia (unverified)  keys.add  key 2026-11  began: yearly",
        "ophelia (unverified)  keys.add  key 2026-11  done: Key `2026-11`: added in",
        "ophelia (unverified)  keys.retire  key a  began",
        "ophelia (unverified)  keys.retire  key a  failed: the key `a` is active",
        "ophelia (unverified)  keys.rotate  key 2026-11  began",
        "ophelia (unverified)  keys.rotate  key 2026-11  done: 1 rows brought under the key `2026-11`",
        "ophelia (unverified)  keys.rotate  key active  began",
        "ophelia (unverified)  keys.rotate  key active  done: 0 rows",
        "ophelia (unverified)  keys.retire  key a  began: no row\\nneeds it",
        "ophelia (unverified)  keys.retire  key a  done: Key `a`: retired",
    ];
    assert_eq!(said.len(), expected.len(), "{said:#?}");
    for (line, expected) in said.iter().zip(expected) {
        assert!(line.contains(expected), "{expected}: {line}");
    }
}

/// An operator who takes the audit log away first. Without the lock, that is without a log that has to be written, the same
/// command is carried out.
#[tokio::test]
async fn where_the_log_cannot_be_written_no_key_is_touched() {
    let shop = Shop::open().await;
    let keyring = || std::fs::read_to_string(shop.path()).expect("readable");
    let before = keyring();
    for arguments in [&["add", "c"][..], &["rotate", "--to", "b"], &["retire", "b"]] {
        let away = "postgres://audit_writer:x@127.0.0.1:1/audit";
        let (success, said) = run(&shop, away, arguments).await;
        assert!(!success && said.contains("nothing was done, because it could not be recorded"), "{said}");
        assert!(keyring() == before, "{arguments:?} has changed the keyring");
    }
    let registered = "select count(*) from payment_keys where id = 'c'";
    let count: i64 = sqlx::query_scalar(registered).fetch_one(shop.db.pool()).await.expect("counted");
    assert_eq!(count, 0);
    let (success, said) = run(&shop, "", &["add", "c"]).await;
    assert!(success && said.contains("nothing of this is recorded"), "{said}");
}
