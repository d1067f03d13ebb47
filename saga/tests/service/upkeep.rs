//! Upkeep withstands ids of the future, wrong clocks, and locks that others hold.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use chrono::{DateTime, Days, Duration, Utc};
use saga::{
    outbox,
    testing::TestDatabase,
    upkeep::{Retention, round},
};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::{
    partitions::{RETENTION, id_at, is_there},
    toy::{MIGRATIONS, rows},
};

/// Noon of the day `days` ahead.
fn noon(days: u64) -> DateTime<Utc> {
    let day = Utc::now().date_naive() + Days::new(days);
    day.and_hms_opt(12, 0, 0).expect("noon").and_utc()
}

fn partition(parent: &str, of: DateTime<Utc>) -> String {
    format!("{parent}_{}", of.format("%Y%m%d"))
}

fn id_of(time: DateTime<Utc>) -> Uuid {
    id_at(time.timestamp_millis().unsigned_abs())
}

async fn execute(db: &TestDatabase, sql: String) {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(db.pool()).await.expect("executed");
}

/// Writes an event with this id, created at that time.
async fn write(db: &TestDatabase, id: Uuid, created_at: DateTime<Utc>) {
    sqlx::query(
        "insert into outbox (id, aggregatetype, aggregateid, type, payload, created_at)
         values ($1, 'account', 'some order', 'Counted', '{}', $2)",
    )
    .bind(id)
    .bind(created_at)
    .execute(db.pool())
    .await
    .expect("written");
}

/// Returns whether the id is new to the inbox.
async fn is_new(db: &TestDatabase, id: Uuid) -> sqlx::Result<bool> {
    let inserted = sqlx::query("insert into inbox (event_id) values ($1) on conflict do nothing").bind(id);
    inserted.execute(db.pool()).await.map(|done| done.rows_affected() == 1)
}

#[tokio::test]
async fn ids_of_the_future_do_not_stop_the_upkeep() {
    let db = TestDatabase::create(&MIGRATIONS).await;
    let (early, never) = (id_of(noon(2)), id_of(noon(400)));
    for parent in ["inbox", "outbox"] {
        execute(&db, format!("drop table {}", partition(parent, noon(2)))).await;
    }
    for id in [early, never] {
        assert!(is_new(&db, id).await.expect("seen"));
        write(&db, id, Utc::now()).await;
    }
    assert_eq!((rows(&db, "inbox_default").await, rows(&db, "outbox_default").await), (2, 2));

    assert_eq!(round(db.pool(), RETENTION, Utc::now()).await, [""; 0]);
    for parent in ["inbox", "outbox"] {
        assert_eq!(rows(&db, &partition(parent, noon(2))).await, 1, "moved to its day");
        assert_eq!(rows(&db, &format!("{parent}_default")).await, 1, "this one's day has no partition");
    }
    for id in [early, never] {
        assert!(!is_new(&db, id).await.expect("seen"), "seen before, wherever it lies now");
    }
    let order: Vec<Uuid> =
        sqlx::query_scalar("select id from outbox order by seq").fetch_all(db.pool()).await.expect("read");
    assert_eq!(order, [early, never], "the relay finds them where they were in the order of publication");
}

/// Two writers for every id, in a stream of transactions, while daily partitions are created.
#[tokio::test]
async fn nobody_is_refused_and_no_id_counts_twice_while_rows_are_moved() {
    const WRITERS: usize = 3;
    const DAYS: u64 = 6;
    let db = Arc::new(TestDatabase::create(&MIGRATIONS).await);
    let (done, new, seen) =
        (Arc::new(AtomicBool::default()), Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let writers: Vec<_> = (0..WRITERS)
        .map(|_| {
            let (db, done, new, seen) = (db.clone(), done.clone(), new.clone(), seen.clone());
            tokio::spawn(async move {
                let mut ids = HashSet::new();
                while !done.load(Ordering::Relaxed) {
                    let id = id_of(noon(10 + rand_below(DAYS)));
                    let (first, second) = tokio::join!(is_new(&db, id), is_new(&db, id));
                    let counted = usize::from(first.expect("not refused")) + usize::from(second.expect("not refused"));
                    assert_eq!(counted, 1);
                    ids.insert(id);
                    new.fetch_add(1, Ordering::Relaxed);
                    seen.fetch_add(1, Ordering::Relaxed);
                }
                ids
            })
        })
        .collect();
    let mut made = 0;
    while made < DAYS {
        let before = seen.load(Ordering::Relaxed);
        let result = sqlx::query("select ensure_day_partition('inbox', $1)")
            .bind((noon(10 + made)).date_naive())
            .execute(db.pool())
            .await;
        result.expect("made");
        made += 1;
        crate::eventually("more ids", || async { (seen.load(Ordering::Relaxed) > before + 50).then_some(()) }).await;
    }
    done.store(true, Ordering::Relaxed);
    let mut ids = HashSet::new();
    for writer in writers {
        ids.extend(crate::within("a writer", writer).await.expect("no writer was refused"));
    }
    assert_eq!(rows(&db, "inbox").await, ids.len() as i64);
    assert_eq!(rows(&db, "inbox_default").await, 0, "all of them have their day");
}

fn rand_below(bound: u64) -> u64 {
    Uuid::new_v4().as_u64_pair().1 % bound
}

#[tokio::test]
async fn a_step_that_fails_does_not_stop_the_others_and_is_done_next_time() {
    let db = TestDatabase::create(&MIGRATIONS).await;
    let missing = ["inbox", "outbox"].map(|parent| partition(parent, noon(1)));
    for partition in &missing {
        execute(&db, format!("drop table {partition}")).await;
    }
    let [inbox, outbox] = missing;
    // A transaction that stays open in the middle of its work.
    let mut busy = db.pool().begin().await.expect("begun");
    sqlx::query("insert into outbox (id, aggregatetype, aggregateid, type, payload) values (gen_random_uuid(), '', '', '', '{}')")
        .execute(&mut *busy)
        .await
        .expect("written");

    assert_eq!(round(db.pool(), RETENTION, Utc::now()).await, [format!("making {outbox}")]);
    assert!(is_there(&db, &inbox).await);
    assert!(!is_there(&db, &outbox).await);

    busy.rollback().await.expect("rolled back");
    assert_eq!(round(db.pool(), RETENTION, Utc::now()).await, [""; 0]);
    assert!(is_there(&db, &outbox).await);
}

#[tokio::test]
async fn a_clock_that_jumps_makes_nothing_old() {
    let db = TestDatabase::create(&MIGRATIONS).await;
    execute(&db, "select ensure_day_partition('inbox', '2020-01-01')".to_owned()).await;
    let foreign = Uuid::new_v4();
    sqlx::query("insert into inbox values ($1, '2020-01-01 18:00+00')")
        .bind(foreign)
        .execute(db.pool())
        .await
        .expect("seen");

    // By this machine's clock it is the evening of that day; by the database's, some years later.
    let then: DateTime<Utc> = "2020-01-01T20:00:00Z".parse().expect("a time");
    assert_eq!(round(db.pool(), RETENTION, then).await, [""; 0]);
    assert!(is_there(&db, "inbox_20200101").await);
    assert!(!is_new(&db, foreign).await.expect("seen"));
    assert!(is_there(&db, "outbox_20200103").await, "ids are dated by this machine, so its days have partitions too");

    // And the other way round.
    let ahead = Utc::now() + Duration::days(365);
    let kept = Retention { inbox_hours: 24 * 36_500, outbox_hours: 24 * 36_500 };
    assert_eq!(round(db.pool(), kept, ahead).await, [""; 0]);
    assert!(is_there(&db, &partition("inbox", ahead)).await);
    assert!(is_there(&db, "inbox_20200101").await);
}

#[tokio::test]
async fn what_was_published_from_the_default_partition_goes_by_its_age() {
    let db = TestDatabase::create(&MIGRATIONS).await;
    let old = Utc::now() - Duration::days(3);
    let ids = [(); 3].map(|()| id_of(noon(400)));
    for (id, created_at) in ids.iter().zip([old, Utc::now(), old]) {
        write(&db, *id, created_at).await;
    }
    execute(&db, "update relay_cursor set last_seq = (select max(seq) - 1 from outbox)".to_owned()).await;
    assert_eq!(round(db.pool(), RETENTION, Utc::now()).await, [""; 0]);
    let left: Vec<Uuid> =
        sqlx::query_scalar("select id from outbox order by seq").fetch_all(db.pool()).await.expect("read");
    assert_eq!(left, ids[1..], "one can still be replayed, one is not published");
}

#[tokio::test]
async fn thousands_of_ended_calls_go_and_one_that_is_being_worked_on_is_not_waited_for() {
    let db = TestDatabase::create(&MIGRATIONS).await;
    let old = Utc::now() - Duration::days(3);
    let ids: Vec<Uuid> = (0..2500).map(|_| id_of(old)).collect();
    sqlx::query(
        "insert into attempts (id, kind, order_id, idempotency_key, request, gives_up, status, updated_at)
         select id, 'ask', id, id, '{}', false, 'done', $2 from unnest($1::uuid[]) id",
    )
    .bind(&ids)
    .bind(old)
    .execute(db.pool())
    .await
    .expect("written");
    let mut busy = db.pool().begin().await.expect("begun");
    sqlx::query("select from attempts where id = $1 for update")
        .bind(ids[0])
        .execute(&mut *busy)
        .await
        .expect("locked");

    assert_eq!(round(db.pool(), RETENTION, Utc::now()).await, [""; 0]);
    let left: Vec<Uuid> = sqlx::query_scalar("select id from attempts").fetch_all(db.pool()).await.expect("read");
    assert_eq!(left, ids[..1]);
    busy.rollback().await.expect("rolled back");
    assert_eq!(round(db.pool(), RETENTION, Utc::now()).await, [""; 0]);
    assert_eq!(rows(&db, "attempts").await, 0);
}

#[tokio::test]
async fn a_dump_does_not_hold_up_the_start_and_the_constraint_follows_it() {
    let db = TestDatabase::create(&MIGRATIONS).await;
    let mut dump = db.pool().begin().await.expect("begun");
    sqlx::query("lock table outbox in access share mode").execute(&mut *dump).await.expect("locked");

    outbox::declare(db.pool(), "counter").await.expect("declared without waiting");
    let failed = round(db.pool(), RETENTION, Utc::now()).await;
    assert_eq!(failed, ["refusing rows of other publishers"]);
    dump.rollback().await.expect("ended");

    assert_eq!(round(db.pool(), RETENTION, Utc::now()).await, [""; 0]);
    let forged = "insert into outbox (id, aggregatetype, aggregateid, type, payload)
                  values (gen_random_uuid(), 'other', 'some order', 'Counted', '{}')";
    assert!(sqlx::query(forged).execute(db.pool()).await.is_err(), "the table refuses it");
    assert!(outbox::declare(db.pool(), "other").await.is_err(), "it belongs to one publisher");
}
