//! Data past its retention is removed a whole day at a time, and nothing unpublished is removed.

use chrono::Utc;
use saga::{
    testing::TestDatabase,
    upkeep::{Retention, round},
};
use uuid::Uuid;

use crate::toy::{MIGRATIONS, rows};

pub(crate) const RETENTION: Retention = Retention { inbox_hours: 24, outbox_hours: 24 };
const FIRST_OF_2020_MS: u64 = 1_577_836_800_000;
const DAY_MS: u64 = 86_400_000;

/// An id with a time on this day of January 2020.
fn id_of(day: u64) -> Uuid {
    id_at(FIRST_OF_2020_MS + (day - 1) * DAY_MS + DAY_MS / 2)
}

/// A new id of this moment.
pub(crate) fn id_at(unix_ms: u64) -> Uuid {
    uuid::Builder::from_unix_timestamp_millis(unix_ms, Uuid::new_v4().as_bytes()[..10].try_into().expect("ten bytes"))
        .into_uuid()
}

/// An upkeep round in which nothing fails.
async fn keep(db: &TestDatabase) {
    assert_eq!(round(db.pool(), RETENTION, Utc::now()).await, [""; 0]);
}

pub(crate) async fn is_there(db: &TestDatabase, partition: &str) -> bool {
    sqlx::query_scalar("select to_regclass($1) is not null").bind(partition).fetch_one(db.pool()).await.expect("asked")
}

/// Writes an event of that day; returns its `seq`.
async fn write(db: &TestDatabase, day: u64) -> i64 {
    sqlx::query_scalar(
        "insert into outbox (id, aggregatetype, aggregateid, type, payload)
         values ($1, 'account', 'some order', 'Counted', '{}') returning seq",
    )
    .bind(id_of(day))
    .fetch_one(db.pool())
    .await
    .expect("written")
}

async fn see(db: &TestDatabase, id: Uuid, arrived: &'static str) {
    sqlx::query("insert into inbox values ($1, $2::timestamptz)")
        .bind(id)
        .bind(arrived)
        .execute(db.pool())
        .await
        .map(drop)
        .expect("seen");
}

#[tokio::test]
async fn days_past_keeping_go_but_none_with_an_event_that_is_not_published() {
    let db = TestDatabase::create(&MIGRATIONS).await;
    db.run(
        "select ensure_day_partition(parent, day::date)
         from unnest(array['inbox', 'outbox']) parent, generate_series('2020-01-01'::date, '2020-01-02', '1 day') day",
    )
    .await;
    let published = write(&db, 1).await;
    let unpublished = write(&db, 2).await;
    assert!(published < unpublished);
    sqlx::query("update relay_cursor set last_seq = $1").bind(published).execute(db.pool()).await.expect("set");
    see(&db, id_of(1), "2020-01-01").await;
    see(&db, id_of(2), "2020-01-02").await;

    keep(&db).await;
    for (partition, stays) in
        [("inbox_20200101", false), ("inbox_20200102", false), ("outbox_20200101", false), ("outbox_20200102", true)]
    {
        assert_eq!(is_there(&db, partition).await, stays, "{partition}");
    }
    let left: Vec<i64> = sqlx::query_scalar("select seq from outbox").fetch_all(db.pool()).await.expect("read");
    assert_eq!(left, [unpublished]);

    sqlx::query("update relay_cursor set last_seq = $1").bind(unpublished).execute(db.pool()).await.expect("set");
    keep(&db).await;
    assert!(!is_there(&db, "outbox_20200102").await, "published, so it goes");
    assert_eq!(rows(&db, "outbox").await, 0);
}

/// Foreign ids hold no time; they expire by the day of their arrival.
#[tokio::test]
async fn ids_without_a_time_are_kept_by_their_arrival() {
    let db = TestDatabase::create(&MIGRATIONS).await;
    let [old, new] = ["order-17", "order-18"].map(|id| saga::EventId::from_foreign("/shop", id).0);
    see(&db, old, "2020-01-01").await;
    see(&db, new, "now").await;
    keep(&db).await;
    let left: Vec<Uuid> = sqlx::query_scalar("select event_id from inbox").fetch_all(db.pool()).await.expect("read");
    assert_eq!(left, [new]);
}

/// Open and parked calls stay, however old; finished ones are removed when their event can no longer be redelivered.
#[tokio::test]
async fn calls_that_have_ended_go_by_their_age() {
    let db = TestDatabase::create(&MIGRATIONS).await;
    for status in ["open", "parked", "done", "resolved"] {
        for age in ["1 hour", "2 days"] {
            sqlx::query(
                "insert into attempts (id, kind, order_id, idempotency_key, request, gives_up, status, updated_at)
                 values ($1, 'ask', gen_random_uuid(), $2 || $3, '{}', false, $2, now() - $3::interval)",
            )
            .bind(id_of(1))
            .bind(status)
            .bind(age)
            .execute(db.pool())
            .await
            .expect("written");
        }
    }
    keep(&db).await;
    let left: Vec<String> =
        sqlx::query_scalar("select idempotency_key from attempts order by 1").fetch_all(db.pool()).await.expect("read");
    assert_eq!(left, ["done1 hour", "open1 hour", "open2 days", "parked1 hour", "parked2 days", "resolved1 hour"]);
}

#[tokio::test]
async fn today_and_the_days_to_come_have_their_partitions_however_often_it_is_looked_after() {
    let db = TestDatabase::create(&MIGRATIONS).await;
    for _ in 0..2 {
        keep(&db).await;
    }
    let days: i64 = sqlx::query_scalar(
        "select count(*) from unnest(array['inbox', 'outbox']) parent, generate_series(0, 2) ahead
         where to_regclass(parent || '_' || to_char((now() at time zone 'utc')::date + ahead, 'YYYYMMDD')) is not null",
    )
    .fetch_one(db.pool())
    .await
    .expect("counted");
    assert_eq!(days, 6);
}
