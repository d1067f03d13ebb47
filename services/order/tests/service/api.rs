//! The API as its clients see it.

use personal_data::Vault;
use std::time::Duration;

use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use events::{OrderId, Reason, UserId, order_id, order_id::Derivation};
use order::{Command, Orders, Settlement, Turn, api};
use saga::{testing::event, unit_of_work::UnitOfWork};
use serde_json::{Value, json};
use sqlx::postgres::PgPoolOptions;
use uuid::Uuid;

use crate::client::{Answer, Client, one, shop, with};

fn id_of(answer: &Answer) -> OrderId {
    answer.body["order_id"].as_str().expect("an id").parse().expect("a UUID")
}

async fn put(work: &UnitOfWork<Orders>, command: Command) {
    let batch = [event("test", command)];
    let _ = work.stage(&batch).await.expect("staged").commit().await.expect("committed");
}

async fn facts(work: &UnitOfWork<Orders>, id: OrderId) -> events::Order {
    let facts: Value = sqlx::query_scalar("select facts from orders where id = $1")
        .bind(id.0)
        .fetch_one(work.pool())
        .await
        .expect("the order is there");
    serde_json::from_value(facts).expect("facts")
}

#[tokio::test]
async fn an_order_is_placed_looked_at_and_cancelled() {
    let db = shop().await;
    let client = Client::new(&db);
    let placed = client.place(with(one(2), json!({"ship_to": "1 Main Street"}))).await;
    assert_eq!((placed.status, &placed.body["status"]), (StatusCode::ACCEPTED, &json!("PENDING")));
    let id = id_of(&placed);
    let path = format!("/orders/{id}");
    assert_eq!(placed.headers["location"], path.as_str());

    let seen = client.get(&path).await;
    assert_eq!(seen.status, StatusCode::OK);
    for (field, value) in [
        ("order_id", json!(id)),
        ("status", json!("PENDING")),
        ("reason", Value::Null),
        ("currency", json!("JPY")),
        ("total", json!(250)),
        ("refunded", json!(0)),
        ("items", json!([{"product_id": 2, "quantity": 1, "unit_price": 250, "kind": "physical"}])),
        ("ship_to", json!("1 Main Street")),
    ] {
        assert_eq!(seen.body[field], value, "{field}");
    }
    for time in ["created_at", "updated_at", "deadline"] {
        assert!(seen.body[time].is_string(), "{time}");
    }

    let cancelled = client.post(&format!("{path}/cancel"), &[], "").await;
    assert_eq!((cancelled.status, &cancelled.body["status"]), (StatusCode::ACCEPTED, &json!("CANCELLING")));
    let again = client.post(&format!("{path}/cancel"), &[], "").await;
    assert_eq!(again.status, StatusCode::ACCEPTED);
    assert_eq!(db.said(id).await, ["OrderCreated", "OrderCancelRequested"]);

    let work = db.work(Orders::default());
    let order = facts(&work, id).await;
    put(&work, Command::Settle(order, Settlement::Refunded { reason: Reason::CancelledByUser, amount: 250 })).await;
    let seen = client.get(&path).await;
    assert_eq!(
        [&seen.body["status"], &seen.body["reason"], &seen.body["refunded"]],
        [&json!("CANCELLED"), &json!("cancelled_by_user"), &json!(250)]
    );
    let timeline: Vec<_> = seen.body["timeline"].as_array().expect("a timeline").iter().collect();
    let told: Vec<_> = timeline.iter().map(|moment| (moment["event"].as_str(), moment["service"].as_str())).collect();
    assert_eq!(
        told,
        [
            (Some("OrderRequested"), Some("client")),
            (Some("OrderCreated"), Some("order")),
            (Some("OrderCancelRequested"), Some("order")),
            (Some("BalanceRefunded"), Some("account")),
            (Some("OrderCancelled"), Some("order")),
        ]
    );
    assert!(timeline.iter().all(|moment| moment["time"].is_string()));
}

#[tokio::test]
async fn the_same_request_again_is_the_same_order_and_another_one_is_refused() {
    let db = shop().await;
    let client = Client::new(&db);
    let key = [("idempotency-key", "k1")];
    let first = client.post("/orders", &key, one(1)).await;
    assert_eq!(id_of(&first), order_id::from_idempotency_key(UserId(1), "k1"));
    for again in [
        client.post("/orders", &key, one(1)).await,
        client.place(with(one(1), json!({"idempotency_key": "k1"}))).await,
        client.post("/orders", &key, with(one(1), json!({"idempotency_key": "k1"}))).await,
        client.place(with(one(1), json!({"order_id": id_of(&first)}))).await,
    ] {
        assert_eq!((again.status, id_of(&again)), (StatusCode::ACCEPTED, id_of(&first)));
    }
    let other = client.post("/orders", &key, one(2)).await;
    assert_eq!(other.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(other.body["detail"].as_str().expect("a detail").contains("other content"));
    let two_keys = client.post("/orders", &key, with(one(1), json!({"idempotency_key": "k2"}))).await;
    assert_eq!(two_keys.status, StatusCode::UNPROCESSABLE_ENTITY);
    let two_headers = [("idempotency-key", "k1"), ("idempotency-key", "k2")];
    assert_eq!(client.post("/orders", &two_headers, one(1)).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(
        client.post("/orders", &[("idempotency-key", "")], one(1)).await.status,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    assert_eq!(db.said(id_of(&first)).await, ["OrderCreated"]);

    let unnamed = (client.place(one(1)).await, client.place(one(1)).await);
    assert_ne!(id_of(&unnamed.0), id_of(&unnamed.1));
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_the_reason_and_leaves_nothing() {
    let db = shop().await;
    let client = Client::new(&db);
    let lines = |lines: Value| with(one(1), json!({ "items": lines }));
    for (body, word) in [
        (lines(json!([])), "items"),
        (lines(json!([{"product_id": 1, "quantity": 0}])), "quantity"),
        (lines(json!([{"product_id": 1, "quantity": i64::MAX}])), "quantity"),
        (lines(json!([{"product_id": 1, "quantity": 1_000_000}, {"product_id": 1, "quantity": 1}])), "1000001"),
        (with(one(1), json!({"idempotency_key": ""})), "idempotency key is empty"),
        (with(one(1), json!({"idempotency_key": "k", "order_id": Uuid::now_v7()})), "give one of the two"),
        (lines(json!([{"product_id": 1, "quantity": 1}, {"product_id": 3, "quantity": 1}])), "currency"),
        (with(one(1), json!({"ship_to": "nul\u{0}"})), "ship_to"),
        (with(one(1), json!({"idempotency_key": "k".repeat(501)})), "idempotency_key"),
    ] {
        let answer = client.place(body).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        let detail = answer.body["detail"].as_str().expect("a detail");
        assert!(detail.contains(word), "{detail:?} tells of {word:?}");
    }
    let orders: i64 = sqlx::query_scalar("select count(*) from orders").fetch_one(db.pool()).await.expect("counted");
    assert_eq!(orders, 0);
}

#[tokio::test]
async fn what_cannot_be_read_is_told_apart() {
    let db = shop().await;
    let client = Client::new(&db);
    for (body, status) in [
        ("{".to_owned(), StatusCode::BAD_REQUEST),
        (String::new(), StatusCode::BAD_REQUEST),
        ("[]".to_owned(), StatusCode::BAD_REQUEST),
        (with(one(1), json!({"user_id": "1"})).to_string(), StatusCode::BAD_REQUEST),
        (with(one(1), json!({"order_id": "no uuid"})).to_string(), StatusCode::BAD_REQUEST),
        (with(one(1), json!({"idempotencykey": "misspelt"})).to_string(), StatusCode::BAD_REQUEST),
        (
            with(one(1), json!({"items": [{"product_id": 1, "quantity": 1, "price": 0}]})).to_string(),
            StatusCode::BAD_REQUEST,
        ),
        (one(1).to_string().replace("\"quantity\":1", "\"quantity\":1e300"), StatusCode::BAD_REQUEST),
        (with(one(1), json!({"ship_to": "x".repeat(300_000)})).to_string(), StatusCode::PAYLOAD_TOO_LARGE),
    ] {
        assert_eq!(client.post("/orders", &[], &body).await.status, status, "{body:.60}");
    }
    let plain = Request::post("/orders").header("content-type", "text/plain").body(Body::from(one(1).to_string()));
    assert_eq!(client.send(plain.expect("a request")).await.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(client.get("/orders/no-uuid").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(client.get("/orders").await.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(client.get("/order").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_unknown_product_is_a_rejected_order() {
    let db = shop().await;
    let client = Client::new(&db);
    let placed = client.place(one(4711)).await;
    assert_eq!((placed.status, &placed.body["status"]), (StatusCode::ACCEPTED, &json!("REJECTED")));
    let seen = client.get(&format!("/orders/{}", id_of(&placed))).await;
    assert_eq!([&seen.body["reason"], &seen.body["currency"]], [&json!("unknown_product"), &json!("XXX")]);
}

#[tokio::test]
async fn an_unknown_or_ended_order_cannot_be_cancelled() {
    let db = shop().await;
    let client = Client::new(&db);
    let nobodys = Uuid::now_v7();
    assert_eq!(client.get(&format!("/orders/{nobodys}")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(client.post(&format!("/orders/{nobodys}/cancel"), &[], "").await.status, StatusCode::NOT_FOUND);

    let rejected = id_of(&client.place(one(4711)).await);
    let completed = id_of(&client.place(one(1)).await);
    put(&db.work(Orders::default()), Command::Fulfil(completed, events::Kind::Digital, Turn::Done)).await;
    for order in [rejected, completed] {
        assert_eq!(client.post(&format!("/orders/{order}/cancel"), &[], "").await.status, StatusCode::CONFLICT);
    }
}

#[tokio::test]
async fn the_callers_trace_goes_on() {
    let db = shop().await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let header = format!("00-{trace}-00f067aa0ba902b7-01");
    let placed = Client::new(&db).post("/orders", &[("traceparent", &header)], one(1)).await;
    let said: String = sqlx::query_scalar("select traceparent from outbox where aggregateid = $1")
        .bind(id_of(&placed).to_string())
        .fetch_one(db.pool())
        .await
        .expect("an event was said");
    assert_eq!(said.split('-').nth(1), Some(trace));
}

#[tokio::test]
async fn without_its_database_it_says_try_again() {
    // A port on which nothing listens.
    let pool = PgPoolOptions::new()
        .acquire_timeout(Duration::from_millis(200))
        .connect_lazy("postgres://nobody@127.0.0.1:1/none")
        .expect("a URL");
    let away = UnitOfWork::new(Orders::default().into(), pool, saga::unit_of_work::Wake::default());
    let client = Client::over(api::routes(away, Derivation::default(), None, Vault::default()));
    let id = Uuid::now_v7();
    assert_eq!(client.place(one(1)).await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(client.get(&format!("/orders/{id}")).await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(client.post(&format!("/orders/{id}/cancel"), &[], "").await.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn the_description_has_every_route() {
    let db = shop().await;
    let description = Client::new(&db).get("/openapi.json").await.body;
    assert!(description["openapi"].as_str().expect("a version").starts_with("3."));
    for (path, method) in [("/orders", "post"), ("/orders/{order_id}", "get"), ("/orders/{order_id}/cancel", "post")] {
        assert!(description["paths"][path][method]["responses"].is_object(), "{method} {path}");
    }
    let schemas = description["components"]["schemas"].as_object().expect("schemas");
    for schema in ["NewOrder", "Receipt", "View", "Problem"] {
        assert!(schemas.contains_key(schema), "{schema} of {:?}", schemas.keys());
    }
    // The fields that the description requires are those that the parser requires.
    assert_eq!(schemas["NewOrder"]["required"], json!(["user_id", "payment_method_id", "items"]));
}
