//! On a real Postgres: what is left of an erased user.

use account::{Account, Ask, Command, MIGRATIONS};
use events::{
    UserId, erasure,
    testing::{digital, order},
};
use saga::testing::{TestDatabase, commit, event};

async fn names(db: &TestDatabase) -> Vec<String> {
    sqlx::query_scalar("select username from users order by id").fetch_all(db.pool()).await.expect("names")
}

async fn text(db: &TestDatabase, sql: &'static str) -> String {
    sqlx::query_scalar(sql).fetch_one(db.pool()).await.expect("a text")
}

#[tokio::test]
async fn the_name_goes_and_the_books_stay() {
    let db = TestDatabase::create(&MIGRATIONS).await;
    db.run("insert into users values (1, 'alice'), (2, 'bob')").await;
    db.run("select deposit(1, 'JPY', 1000), deposit(2, 'JPY', 500)").await;
    let (work, bought) = (db.work(Account), order([digital(1, 3)]));
    commit(&work, &[event("OrderCreated", Command::new(bought.clone(), Ask::Reserve))]).await;
    commit(&work, &[event("StockReserved", Command::new(bought.clone(), Ask::Debit))]).await;
    const BOOKS: &str = "select jsonb_build_object('b', (select jsonb_agg(b order by user_id) from balances b),
        'r', (select jsonb_agg(r) from balance_reservations r))::text";
    let before = text(&db, BOOKS).await;
    for _ in 0..2 {
        let [said] = &erasure::of_user(UserId(1), &[bought.order_id])[..] else { panic!("one event") };
        commit(&work, &[event("UserErased", Command::Scrub(said.clone()))]).await;
        assert_eq!(names(&db).await, ["erased", "bob"]);
    }
    assert_eq!(text(&db, BOOKS).await, before);
}

/// Finished work is emptied, of the user's orders alone; what is still to be done keeps what it needs.
#[tokio::test]
async fn what_was_parked_goes_once_it_is_settled() {
    let db = TestDatabase::create(&MIGRATIONS).await;
    let (mine, others) = (order([digital(1, 1)]), order([digital(1, 1)]));
    for (status, order) in [("settled", &mine), ("parked", &mine), ("settled", &others)] {
        sqlx::query(
            "insert into parked_events (event_id, topic, partition, record_offset, record_timestamp, value, error, order_id, status)
             values (gen_random_uuid(), 'order.events', 0, 1, 1, 'Canary Road', 'no Canary Road', $1, $2)",
        )
        .bind(order.order_id.0)
        .bind(status)
        .execute(db.pool())
        .await
        .expect("parked");
    }
    let [said] = &erasure::of_user(UserId(1), &[mine.order_id])[..] else { panic!("one event") };
    commit(&db.work(Account), &[event("UserErased", Command::Scrub(said.clone()))]).await;
    let left: Vec<(bool, String)> = sqlx::query_as(
        "select order_id = $1, status from parked_events where encode(value, 'escape') like '%Canary%' or error like '%Canary%' order by 1",
    )
    .bind(mine.order_id.0)
    .fetch_all(db.pool())
    .await
    .expect("read");
    assert_eq!(left, [(false, "settled".to_owned()), (true, "parked".to_owned())]);
}
