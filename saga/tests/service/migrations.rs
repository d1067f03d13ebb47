//! The migrations produce the same tables from every starting point.

use std::time::Duration;

use saga::testing::TestDatabase;
use sqlx::{PgPool, migrate::Migrator};

static FORMER: Migrator = sqlx::migrate!("./migrations/former");

/// Bound for any wait of a test.
const BOUND: Duration = Duration::from_secs(30);

/// An empty database.
async fn empty() -> TestDatabase {
    let db = TestDatabase::create(&Migrator::DEFAULT).await;
    db.run("drop schema public cascade; create schema public").await;
    db
}

/// Everything in a database except its rows, as text. Daily partitions are those of today.
async fn schema(pool: &PgPool) -> Vec<String> {
    let queries = [
        "select format('column %s.%s %s null %s default %s identity %s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
                not a.attnotnull, pg_get_expr(d.adbin, d.adrelid), a.attidentity)
         from pg_attribute a join pg_class c on c.oid = a.attrelid left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
         where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and a.attnum > 0 and not a.attisdropped",
        "select format('constraint on %s %s %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) from pg_constraint
         where connamespace = 'public'::regnamespace",
        "select format('index %s', indexdef) from pg_indexes where schemaname = 'public'",
        "select format('function %s', pg_get_functiondef(oid)) from pg_proc where pronamespace = 'public'::regnamespace",
        "select format('relation %s %s %s', relname, relkind, pg_get_expr(relpartbound, oid)) from pg_class
         where relnamespace = 'public'::regnamespace",
    ];
    let mut all: Vec<String> = Vec::new();
    for query in queries {
        all.extend(sqlx::query_scalar::<_, String>(query).fetch_all(pool).await.expect("the catalogue can be read"));
    }
    all.sort_unstable();
    assert!(all.len() > 100, "{all:?}");
    all
}

#[tokio::test]
async fn a_database_of_an_earlier_version_keeps_its_rows_and_gets_the_same_tables() {
    // As far as the earliest version went, and as far as the last one did.
    for versions in [1, 3, FORMER.iter().count()] {
        let db = empty().await;
        let migrations = FORMER.iter().take(versions).cloned().collect::<Vec<_>>();
        Migrator { migrations: migrations.into(), ..Migrator::DEFAULT }.run(db.pool()).await.expect("as it was");
        db.run("insert into inbox values (gen_random_uuid())").await;
        saga::migrate(db.pool(), &Migrator::DEFAULT).await.expect("brought up to date");
        saga::migrate(db.pool(), &Migrator::DEFAULT).await.expect("and again");
        let seen: i64 = sqlx::query_scalar("select count(*) from inbox").fetch_one(db.pool()).await.expect("counted");
        assert_eq!(seen, 1, "from version {versions}");
        let fresh = TestDatabase::create(&Migrator::DEFAULT).await;
        let (old, new) = (schema(db.pool()).await, schema(fresh.pool()).await);
        let differs: Vec<_> =
            old.iter().filter(|one| !new.contains(one)).chain(new.iter().filter(|one| !old.contains(one))).collect();
        assert!(differs.is_empty(), "from version {versions}: {differs:#?}");
    }
}

#[tokio::test]
async fn an_outbox_that_was_used_alone_becomes_a_services() {
    let db = empty().await;
    outbox::migrate(db.pool()).await.expect("the outbox alone");
    outbox::migrate(db.pool()).await.expect("and again");
    saga::migrate(db.pool(), &Migrator::DEFAULT).await.expect("the rest");
    let fresh = TestDatabase::create(&Migrator::DEFAULT).await;
    assert_eq!(schema(db.pool()).await, schema(fresh.pool()).await);
}

/// A replica of the previous version may start second, or come back after a failed upgrade.
#[tokio::test]
async fn a_program_of_an_earlier_version_finds_its_migrations_done() {
    let db = TestDatabase::create(&Migrator::DEFAULT).await;
    let mut earlier = Migrator { migrations: FORMER.migrations.clone(), ..Migrator::DEFAULT };
    earlier.set_ignore_missing(true).run(db.pool()).await.expect("nothing is left to do");
}

/// Its first migrations have the same numbers as those of earlier versions.
#[tokio::test]
async fn somebody_elses_migrations_are_not_taken_for_those_of_an_earlier_version() {
    let db = empty().await;
    outbox::migrate(db.pool()).await.expect("the outbox alone");
    db.run("insert into _sqlx_migrations (version, description, success, checksum, execution_time) values (1, 'rooms', true, '\\x00', 0)")
        .await;
    let error = saga::migrate(db.pool(), &Migrator::DEFAULT).await.err().map(|error| format!("{error:#}"));
    assert_eq!(error, None);
}

/// A dump reads every table for as long as it takes; writers must not queue up behind a migration that waits for it.
#[tokio::test]
async fn while_a_dump_keeps_a_migration_from_a_table_others_go_on() {
    let db = empty().await;
    let first = outbox::MIGRATIONS.iter().take(1).cloned().collect::<Vec<_>>();
    Migrator { migrations: first.into(), ..Migrator::DEFAULT }.run(db.pool()).await.expect("as it was");
    let mut dump = db.pool().begin().await.expect("begun");
    sqlx::query("lock table outbox in access share mode").execute(&mut *dump).await.expect("locked");
    let pool = db.pool().clone();
    let migrating = tokio::spawn(async move { saga::migrate(&pool, &Migrator::DEFAULT).await });
    let waits = async || {
        let query = "select 1 from pg_locks where relation = 'outbox'::regclass and mode = 'AccessExclusiveLock' and not granted";
        sqlx::query_scalar::<_, i32>(query).fetch_optional(db.pool()).await.expect("read")
    };
    saga::testing::eventually(BOUND, "the migration waits for the dump", waits).await;
    // As a program of the earlier version does.
    let insert = "insert into outbox (id, aggregatetype, aggregateid, type, payload)
                  values (gen_random_uuid(), 'hotel', 'a trip', 'RoomHeld', '{}')";
    tokio::time::timeout(BOUND, db.run(insert)).await.expect("the writer went on");
    assert!(!migrating.is_finished(), "the dump is not over");
    dump.commit().await.expect("the dump is over");
    tokio::time::timeout(BOUND, migrating).await.expect("in time").expect("no panic").expect("migrated");
    let version: i32 = sqlx::query_scalar("select dataversion from outbox").fetch_one(db.pool()).await.expect("read");
    assert_eq!(version, 1);
    let refused = sqlx::query("update outbox set dataversion = 0").execute(db.pool()).await;
    assert!(refused.is_err_and(|error| error.to_string().contains("outbox_dataversion")));
}
