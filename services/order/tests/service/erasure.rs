//! An erased user orders no more, and a user with an order under way is not erased.

use axum::http::StatusCode;
use events::{OrderId, UserId, request::OrderRequested};
use order::{Command, Door, Orders, Placement, Settlement, api};
use saga::testing::{TestDatabase, commit, event};
use serde_json::json;
use uuid::Uuid;

use crate::{
    client::{Client, one, shop, with},
    store::request,
};

fn operators(db: &TestDatabase) -> Client {
    Client::over(api::for_operators(db.work(Orders::default())))
}

async fn erase(db: &TestDatabase, user: i64) -> crate::client::Answer {
    operators(db).post(&format!("/users/{user}/erase"), &[], "").await
}

fn requested(order_id: OrderId, request: OrderRequested) -> Command {
    Command::Place(Placement { order_id, request, door: Door::Topic, former: None })
}

async fn texts(db: &TestDatabase, sql: &'static str) -> Vec<String> {
    sqlx::query_scalar(sql).fetch_all(db.pool()).await.expect("texts")
}

async fn end_all(db: &TestDatabase) {
    db.run("update orders set status = 'COMPLETED' where status = 'PENDING'").await;
}

#[tokio::test]
async fn a_user_with_an_order_under_way_is_not_erased() {
    let db = shop().await;
    assert_eq!(Client::new(&db).place(one(1)).await.status, StatusCode::ACCEPTED);
    let answer = erase(&db, 1).await;
    assert_eq!((answer.status, &answer.body["type"]), (StatusCode::CONFLICT, &json!("orders-under-way")));
    assert!(answer.body["detail"].as_str().is_some_and(|why| why.contains("1 orders") && why.contains("cancel")));
    assert!(texts(&db, "select user_id::text from erased_users").await.is_empty());
    assert_eq!(texts(&db, "select type from outbox").await, ["OrderCreated"]);
    // Nothing of his goes while he is not erased, whoever calls.
    let denied = sqlx::query("select erase_orders(1)").execute(db.pool()).await.expect_err("refused");
    assert!(denied.to_string().contains("user 1 is not erased"), "{denied}");
    assert_eq!(erase(&db, 2).await.status, StatusCode::ACCEPTED, "another user has none");
    assert_eq!(operators(&db).post("/users/alice/erase", &[], "").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn addresses_go_orders_stay_and_an_erasure_may_be_repeated() {
    let db = shop().await;
    let client = Client::new(&db);
    for user in [1, 2] {
        let order = json!({"user_id": user, "ship_to": format!("{user} Canary Road")});
        assert_eq!(client.place(with(one(2), order)).await.status, StatusCode::ACCEPTED);
    }
    end_all(&db).await;
    db.run("update orders set facts = facts || '{\"ship_to\": \"sealed:v1:2:order:AAAA\"}' where user_id = 2").await;
    for time in 1..3 {
        assert_eq!(erase(&db, 1).await.body, json!({"user_id": 1, "events": 1}));
        assert_eq!(texts(&db, "select type from outbox where type = 'UserErased'").await.len(), time);
    }
    let keys = texts(&db, "select distinct aggregateid from outbox where type = 'UserErased'").await;
    assert_eq!(keys, [events::erasure::Erasure::of(UserId(1)).erasure_id.to_string()]);
    let kept = "select concat_ws(' ', user_id, status, total_amount, facts ->> 'ship_to', request_hash is null) from orders order by user_id";
    assert_eq!(texts(&db, kept).await, ["1 COMPLETED 250 t", "2 COMPLETED 250 sealed:v1:2:order:AAAA f"]);
    erase(&db, 2).await;
    assert_eq!(texts(&db, kept).await[1], "2 COMPLETED 250 sealed:v1:2:order:AAAA t", "its key is gone");
}

#[tokio::test]
async fn who_is_erased_orders_no_more() {
    let db = shop().await;
    let client = Client::new(&db);
    let named = || with(one(1), json!({"idempotency_key": "cart"}));
    client.place(named()).await;
    end_all(&db).await;
    erase(&db, 1).await;
    for order in [one(1), named(), with(one(2), json!({"ship_to": "1 Canary Road"}))] {
        let answer = client.place(order).await;
        assert_eq!((answer.status, &answer.body["type"]), (StatusCode::GONE, &json!("user-erased")), "{}", answer.body);
    }
    let id = OrderId(Uuid::now_v7());
    commit(&db.work(Orders::default()), &[event("OrderRequested", requested(id, request(&[(2, 1)])))]).await;
    assert_eq!(db.said(id).await, ["OrderRejected"]);
    assert_eq!(texts(&db, "select reason from orders where status = 'REJECTED'").await, ["unknown_user"]);
    assert!(texts(&db, "select facts ->> 'ship_to' from orders where facts ? 'ship_to'").await.is_empty());
    assert_eq!(client.place(with(one(1), json!({"user_id": 2}))).await.status, StatusCode::ACCEPTED);
}

/// The locks: either the order is seen by the erasure, or it is refused because of it.
#[tokio::test]
async fn an_order_placed_at_the_same_time_is_seen_or_refused() {
    let db = shop().await;
    let work = db.work(Orders::default());
    for round in 0..20_i64 {
        let user = 100 + round;
        let order = with(one(1), json!({"user_id": user}));
        let (client, order_first) = (Client::new(&db), round % 2 == 0);
        let (placed, erased) = if order_first {
            tokio::join!(client.place(order), erase(&db, user))
        } else {
            let (erased, placed) = tokio::join!(erase(&db, user), client.place(order));
            (placed, erased)
        };
        let outcome = (placed.status, erased.status);
        let one_of_two = [(StatusCode::ACCEPTED, StatusCode::CONFLICT), (StatusCode::GONE, StatusCode::ACCEPTED)];
        assert!(one_of_two.contains(&outcome), "{outcome:?}");
    }
    // A transaction that has placed an order keeps the erasure waiting.
    let placing = work
        .stage(&[event("OrderRequested", requested(OrderId(Uuid::now_v7()), request(&[(1, 1)])))])
        .await
        .expect("staged");
    let erasing = tokio::spawn({
        let routes = operators(&db);
        async move { routes.post("/users/1/erase", &[], "").await }
    });
    let waits = "select count(*) from pg_locks where locktype = 'advisory' and not granted and database = (select oid from pg_database where datname = current_database())";
    let waiting = async || -> i64 { sqlx::query_scalar(waits).fetch_one(db.pool()).await.expect("locks") };
    while waiting().await == 0 {
        assert!(!erasing.is_finished(), "the erasure does not wait");
        tokio::task::yield_now().await;
    }
    placing.commit().await.expect("committed");
    assert_eq!(erasing.await.expect("answered").status, StatusCode::CONFLICT);
}

/// What follows late from an ended order of an erased user changes nothing any more.
#[tokio::test]
async fn ended_orders_of_an_erased_user_stay_ended() {
    let db = shop().await;
    let id = OrderId(Uuid::now_v7());
    let work = db.work(Orders::default());
    commit(&work, &[event("OrderRequested", requested(id, request(&[(2, 1)])))]).await;
    end_all(&db).await;
    erase(&db, 1).await;
    let again = work.submit("again", requested(id, request(&[(2, 1)])), None).await.expect("decided");
    assert!(again.ignored.is_some() && again.events.is_empty(), "{again:?}");
    let order = events::Order { order_id: id, ..events::testing::order([events::testing::physical(2, 1)]) };
    let late = Command::Settle(order, Settlement::Rejected { reason: events::Reason::OutOfStock });
    assert!(work.submit("late", late, None).await.expect("decided").ignored.is_some());
}
