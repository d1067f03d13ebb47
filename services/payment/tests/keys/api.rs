//! `POST /payment-methods`.

use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use payment::{keys::store::Retired, methods_api};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::shop::Shop;

pub(crate) async fn post(shop: &Shop, body: impl ToString) -> (StatusCode, Value) {
    let routes = methods_api::routes(shop.sessions(), shop.keys());
    let request = Request::post("/payment-methods").body(Body::from(body.to_string())).expect("a request");
    let response = routes.oneshot(request).await.expect("the router never fails");
    let status = response.status();
    let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.expect("a whole body");
    (status, serde_json::from_slice(&body).expect("JSON"))
}

pub(crate) fn alices() -> Value {
    json!({"id": 1, "user_id": 1, "method_type": "card", "token": "tok_1", "last4": "4242"})
}

async fn methods(shop: &Shop) -> i64 {
    sqlx::query_scalar("select count(*) from payment_methods").fetch_one(shop.db.pool()).await.expect("counted")
}

#[tokio::test]
async fn methods_are_added_once_and_sealed_by_the_service() {
    let shop = Shop::open().await;
    let wallet = json!({"id": 2, "user_id": 1, "method_type": "wallet"});
    assert_eq!(post(&shop, json!([alices(), wallet])).await, (StatusCode::OK, json!({"added": 2, "present": 0})));
    assert_eq!(post(&shop, json!([alices(), wallet])).await, (StatusCode::OK, json!({"added": 0, "present": 2})));
    assert_eq!(shop.token(&shop.keys(), 1).await.as_deref(), Ok("tok_1"));
    assert_eq!(shop.rows().await, [("a".to_owned(), 1)]);
}

#[tokio::test]
async fn a_method_of_someone_elses_is_not_overwritten() {
    let shop = Shop::open().await;
    post(&shop, json!([alices()])).await;
    let (mut bobs, mut points) = (alices(), json!({"id": 1, "user_id": 1, "method_type": "points"}));
    bobs["user_id"] = json!(2);
    points["id"] = json!(1);
    for taken in [bobs, points] {
        let new = json!({"id": 3, "user_id": 3, "method_type": "wallet"});
        let (status, problem) = post(&shop, json!([new, taken])).await;
        assert_eq!((status, &problem["type"]), (StatusCode::CONFLICT, &json!("payment-method-exists")), "{problem}");
        assert_eq!(methods(&shop).await, 1, "all or none");
    }
    assert_eq!(shop.token(&shop.keys(), 1).await.as_deref(), Ok("tok_1"));
}

#[tokio::test]
async fn what_is_refused_is_not_repeated() {
    let shop = Shop::open().await;
    let with = |name: &str, value: Value| {
        let mut method = alices();
        method[name] = value;
        json!([method])
    };
    let canary = "tok_canary_4242424242424242";
    for (body, status) in [
        (json!([{"id": canary, "user_id": 1, "method_type": "card"}]), StatusCode::BAD_REQUEST),
        (with("id", json!(canary)), StatusCode::BAD_REQUEST),
        (with(canary, json!(1)), StatusCode::BAD_REQUEST),
        (json!(canary), StatusCode::BAD_REQUEST),
        (with("method_type", json!(canary)), StatusCode::UNPROCESSABLE_ENTITY),
        (with("method_type", json!("wallet")), StatusCode::UNPROCESSABLE_ENTITY),
        (with("last4", json!(canary)), StatusCode::UNPROCESSABLE_ENTITY),
        (with("token", json!("4242424242424242")), StatusCode::UNPROCESSABLE_ENTITY),
        (with("token", json!(null)), StatusCode::UNPROCESSABLE_ENTITY),
        (with("token", json!("")), StatusCode::UNPROCESSABLE_ENTITY),
        (json!(vec![alices(); 1001]), StatusCode::BAD_REQUEST),
    ] {
        let (answered, problem) = post(&shop, &body).await;
        assert_eq!(answered, status, "{body}: {problem}");
        assert!(!problem.to_string().contains("canary") && !problem.to_string().contains("4242"), "{problem}");
    }
    assert_eq!(methods(&shop).await, 0);
}

/// A replica whose keyring still has the old key as its active one.
#[tokio::test]
async fn no_method_is_added_under_a_retired_key() {
    let shop = Shop::open().await;
    assert_eq!(shop.retire("a").await, Retired::Now);
    let (status, problem) = post(&shop, json!([alices()])).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{problem}");
    assert!(problem["detail"].as_str().is_some_and(|why| why.contains("the active key is retired")), "{problem}");
    shop.activate("b");
    assert_eq!(post(&shop, json!([alices()])).await.0, StatusCode::OK, "it reads the changed keyring");
}
