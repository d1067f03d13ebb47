//! Nobody reads, cancels or places what is another's. Each test takes the guard out as well: then the misuse succeeds.

use axum::http::StatusCode;
use serde_json::json;
use uuid::Uuid;

use crate::{
    client::{Answer, Client, one, shop, with},
    door::Guarded,
};

fn order(answer: &Answer) -> String {
    answer.body["order_id"].as_str().expect("an id").to_owned()
}

/// What tells one 404 from another, apart from the id that was asked for.
fn shape(answer: &Answer, id: &str) -> (StatusCode, String, Vec<String>) {
    let headers = answer.headers.iter().map(|(name, value)| format!("{name}: {value:?}")).collect();
    (answer.status, answer.body.to_string().replace(id, "ID"), headers)
}

#[tokio::test]
async fn anothers_order_is_as_unknown_as_none() {
    let db = shop().await;
    let guarded = Guarded::over(&db);
    let (owner, other) = (guarded.as_user("1", &[]), guarded.as_user("2", &[]));
    let (id, none) = (order(&owner.place(one(1)).await), Uuid::now_v7().to_string());
    for (anothers, unknown) in [
        (other.get(&format!("/orders/{id}")).await, other.get(&format!("/orders/{none}")).await),
        (other.cancel(&id).await, other.cancel(&none).await),
    ] {
        assert_eq!(anothers.status, StatusCode::NOT_FOUND);
        assert_eq!(shape(&anothers, &id), shape(&unknown, &none));
    }
    assert_eq!(owner.get(&format!("/orders/{id}")).await.body["status"], "PENDING");
    assert_eq!(db.said(id.parse().expect("an id")).await, ["OrderCreated"]);
    // Without the gate anyone sees it, and cancels it.
    let anyone = Client::new(&db);
    assert_eq!(anyone.get(&format!("/orders/{id}")).await.status, StatusCode::OK);
    assert_eq!(anyone.cancel(&id).await.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn its_owner_reads_and_cancels_an_order() {
    let db = shop().await;
    let guarded = Guarded::over(&db);
    let owner = guarded.as_user("1", &[]);
    let id = order(&owner.place(one(1)).await);
    assert_eq!(owner.get(&format!("/orders/{id}")).await.status, StatusCode::OK);
    assert_eq!(owner.cancel(&id).await.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn nobody_places_an_order_for_another() {
    let db = shop().await;
    let guarded = Guarded::over(&db);
    let request = || with(one(1), json!({"idempotency_key": "theirs"}));
    let refused = guarded.as_user("2", &["orders:read:any", "orders"]).place(request()).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let challenge = refused.headers["www-authenticate"].to_str().expect("text");
    assert_eq!(challenge, "Bearer error=\"insufficient_scope\", scope=\"orders:any\"");
    let orders: i64 = sqlx::query_scalar("select count(*) from orders").fetch_one(db.pool()).await.expect("counted");
    assert_eq!(orders, 0);
    // Without the gate it is placed.
    assert_eq!(Client::new(&db).place(request()).await.status, StatusCode::ACCEPTED);
}

/// An order id that another's order has tells nothing more than that it cannot be had.
#[tokio::test]
async fn nobody_takes_anothers_order_by_its_id() {
    let db = shop().await;
    let guarded = Guarded::over(&db);
    let id = order(&guarded.as_user("1", &[]).place(one(1)).await);
    let again = with(one(1), json!({"order_id": id, "user_id": 2}));
    assert_eq!(guarded.as_user("2", &[]).place(again).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(guarded.as_user("1", &[]).get(&format!("/orders/{id}")).await.body["user_id"], 1);
}

#[tokio::test]
async fn a_scope_allows_what_it_names_and_no_more() {
    let db = shop().await;
    let guarded = Guarded::over(&db);
    let id = order(&guarded.as_user("1", &[]).place(one(1)).await);
    let (path, reader) = (format!("/orders/{id}"), guarded.as_user("9", &["orders:read:any"]));
    assert_eq!(reader.get(&path).await.status, StatusCode::OK);
    assert_eq!(reader.cancel(&id).await.status, StatusCode::NOT_FOUND);
    assert_eq!(reader.place(one(1)).await.status, StatusCode::FORBIDDEN);
    let operator = guarded.as_user("9", &["openid", "orders:any"]);
    assert_eq!(operator.get(&path).await.status, StatusCode::OK);
    assert_eq!(operator.place(one(1)).await.status, StatusCode::ACCEPTED);
    assert_eq!(operator.cancel(&id).await.status, StatusCode::ACCEPTED);
}
