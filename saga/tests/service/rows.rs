//! Rows that are declared: loaded, locked and saved by statements that nobody has written out.

use chrono::NaiveDate;
use saga::{Rows, SagaId, StoreError, barrier::Status, rows, store::Remedy, testing::TestDatabase};
use sqlx::{Connection, PgConnection, migrate::Migrator};
use uuid::Uuid;

static MIGRATIONS: Migrator = Migrator::DEFAULT;

rows! {
    #[derive(Debug, Clone, PartialEq)]
    pub(crate) struct Night in "nights" by (hotel: i64, night: NaiveDate) {
        free: i32,
        r#type: Option<String>,
    }
}

rows! {
    #[derive(Debug, Clone, PartialEq)]
    pub(crate) struct Stay in "stays" by (trip_id: SagaId) {
        status: Status,
        nights: i32,
    }
}

async fn database() -> TestDatabase {
    let db = TestDatabase::create(&MIGRATIONS).await;
    db.run("create table nights (hotel bigint, night date, free int not null check (free >= 0), type text unique, primary key (hotel, night))")
        .await;
    db.run("create table stays (trip_id uuid primary key, status text not null, nights int not null)").await;
    db
}

fn night(day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 12, day).expect("a day")
}

#[tokio::test]
async fn what_is_saved_is_what_is_loaded_and_each_row_is_written_once() {
    let db = database().await;
    let mut session = db.pool().acquire().await.expect("a session");
    let session: &mut PgConnection = &mut session;
    let mut nights = Night::load(session, [(1, night(1)), (1, night(2))]).await.expect("loaded");
    assert_eq!(nights.iter().count(), 0);
    nights.put((1, night(1)), Night { free: 5, r#type: None });
    nights.put((1, night(2)), Night { free: 6, r#type: Some("new year's eve".to_owned()) });
    nights.put((2, night(1)), Night { free: 7, r#type: None });
    Night::save(session, &nights).await.expect("saved");

    // A key that nobody has, one twice, and one of two columns that both are somebody's, but not together.
    let keys = [(1, night(2)), (1, night(2)), (9, night(1)), (2, night(2)), (1, night(1))];
    let mut nights = Night::load(session, keys).await.expect("loaded");
    let read: Vec<_> = nights.iter().map(|(key, row)| (*key, row.free)).collect();
    assert_eq!(read, [((1, night(1)), 5), ((1, night(2)), 6)]);
    nights.get_mut(&(1, night(1))).expect("there").free = 4;
    nights.get_mut(&(1, night(2))).expect("there").r#type = Some("suite".to_owned());
    Night::save(session, &nights).await.expect("saved");
    let all: Vec<(i64, i32, Option<String>)> =
        sqlx::query_as("select hotel, free, type from nights order by hotel, night")
            .fetch_all(&mut *session)
            .await
            .expect("read");
    assert_eq!(
        all,
        [(1, 4, None), (1, 6, Some("suite".to_owned())), (2, 7, None)],
        "and the one that was not loaded is as it was"
    );

    // Another row has what has to be unique: that is no race, and does not pass by itself.
    let mut third = Rows::default();
    third.put((3, night(1)), Night { free: 1, r#type: Some("suite".to_owned()) });
    let error = Night::save(session, &third).await.expect_err("there is one of it");
    assert_eq!(error.remedy(), Remedy::Park, "{error}");
}

#[tokio::test]
async fn steps_are_columns_and_a_word_that_is_none_puts_the_event_aside() {
    let db = database().await;
    let mut session = db.pool().acquire().await.expect("a session");
    let session: &mut PgConnection = &mut session;
    let trips: Vec<SagaId> = Status::ALL.iter().map(|_| SagaId(Uuid::now_v7())).collect();
    let mut stays = Rows::default();
    for (trip, status) in trips.iter().zip(Status::ALL) {
        stays.put(*trip, Stay { status, nights: 2 });
    }
    Stay::save(session, &stays).await.expect("saved");
    let read = Stay::load(session, trips.iter().copied()).await.expect("loaded");
    assert_eq!(read.iter().map(|(_, stay)| stay.status).collect::<Vec<_>>(), Status::ALL);

    sqlx::query("update stays set status = 'DREAMT' where trip_id = $1")
        .bind(trips[0].0)
        .execute(&mut *session)
        .await
        .expect("done");
    let error = Stay::load(session, trips).await.expect_err("no such status");
    assert_eq!(error.remedy(), Remedy::Park, "{error}");
    assert!(error.to_string().contains("DREAMT"), "{error}");
}

#[tokio::test]
async fn another_who_was_faster_with_a_row_is_noticed_and_rows_are_locked_until_the_end() {
    let db = database().await;
    let mut first = db.pool().begin().await.expect("a transaction");
    let trip = SagaId(Uuid::now_v7());
    let mut stays = Stay::load(&mut first, [trip]).await.expect("loaded");
    stays.put(trip, Stay { status: Status::Reserved, nights: 1 });
    Stay::save(&mut first, &stays).await.expect("saved");
    let mut late = PgConnection::connect(&db.url()).await.expect("a session");
    let save = tokio::spawn(async move { Stay::save(&mut late, &stays).await });
    db.until_blocked().await;
    first.commit().await.expect("committed");
    assert!(matches!(save.await.expect("no panic"), Err(StoreError::Raced("stays"))));

    let mut holder = db.pool().begin().await.expect("a transaction");
    let held = Stay::load(&mut holder, [trip]).await.expect("loaded");
    assert_eq!(held.get(&trip).map(|stay| stay.status), Some(Status::Reserved));
    let mut other = PgConnection::connect(&db.url()).await.expect("a session");
    let load = tokio::spawn(async move { Stay::load(&mut other, [trip]).await });
    db.until_blocked().await;
    let mut held = held;
    held.get_mut(&trip).expect("there").status = Status::Confirmed;
    Stay::save(&mut holder, &held).await.expect("saved");
    holder.commit().await.expect("committed");
    let seen = load.await.expect("no panic").expect("loaded");
    assert_eq!(seen.get(&trip).map(|stay| stay.status), Some(Status::Confirmed), "what the first has left");
}
