//! The provider as its clients see it.

use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use payment_gateway::books::Books;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::client::Client;

fn client() -> Client {
    Client::new(Books::in_memory())
}

#[tokio::test]
async fn money_is_held_collected_and_given_back() {
    let (client, id) = (client(), Uuid::now_v7());
    let (status, payment) = client.authorize(id, "a", 100, "tok_visa").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(payment, json!({"payment_id": id, "state": "authorized", "amount": 100, "currency": "JPY"}));

    assert_eq!(client.post(id, "capture", "c", "").await.1["state"], "captured");
    assert_eq!(client.post(id, "refund", "r", "{}").await.1["state"], "refunded");
    assert_eq!(client.get(&format!("/v1/payments/{id}")).await.1["state"], "refunded");

    let (_, ledger) = client.get("/v1/ledger").await;
    let booked: Vec<_> = ledger["entries"].as_array().expect("a list").iter().map(|entry| &entry["state"]).collect();
    assert_eq!(booked, ["authorized", "captured", "refunded"]);
    assert_eq!(ledger["entries"][2]["seq"], 3);
    assert_eq!(ledger["totals"]["JPY"], json!({"authorized": 100, "captured": 100, "voided": 0, "refunded": 100}));
}

#[tokio::test]
async fn the_ledger_can_be_read_for_one_payment() {
    let (client, mine, other) = (client(), Uuid::now_v7(), Uuid::now_v7());
    client.authorize(mine, "1", 100, "tok_visa").await;
    client.authorize(other, "2", 50, "tok_visa").await;
    let (_, ledger) = client.get(&format!("/v1/ledger?payment_id={mine}")).await;
    assert_eq!(ledger["entries"].as_array().map(Vec::len), Some(1));
    assert_eq!(ledger["totals"]["JPY"]["authorized"], 100);
}

#[tokio::test]
async fn the_same_key_gets_the_same_answer_whatever_has_happened_since() {
    let (client, id) = (client(), Uuid::now_v7());
    let first = client.authorize(id, "key", 100, "tok_visa").await;
    client.post(id, "void", "void", "").await;
    assert_eq!(client.authorize(id, "key", 100, "tok_visa").await, first);
    assert_eq!(client.get(&format!("/v1/payments/{id}")).await.1["state"], "voided", "nothing was done twice");
}

#[tokio::test]
async fn a_key_belongs_to_one_request() {
    let (client, id) = (client(), Uuid::now_v7());
    client.authorize(id, "key", 100, "tok_visa").await;
    for (status, problem) in [
        client.authorize(id, "key", 101, "tok_visa").await,
        client.authorize(Uuid::now_v7(), "key", 100, "tok_visa").await,
        client.post(id, "capture", "key", "").await,
    ] {
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(problem["type"], "idempotency-key-reused");
    }
    assert_eq!(client.get("/v1/ledger").await.1["entries"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_void_that_comes_first_is_remembered() {
    let (client, id) = (client(), Uuid::now_v7());
    assert_eq!(client.post(id, "void", "v", "").await, (StatusCode::OK, json!({"payment_id": id, "state": "voided"})));
    let (status, problem) = client.authorize(id, "a", 100, "tok_visa").await;
    assert_eq!((status, &problem["type"]), (StatusCode::CONFLICT, &json!("payment-voided")));
    assert_eq!(client.post(id, "void", "another key", "").await.0, StatusCode::OK);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_what_would() {
    let (client, id) = (client(), Uuid::now_v7());
    let kind = |(status, problem): (StatusCode, Value)| (status, problem["type"].as_str().map(str::to_owned));
    let conflict = |kind: &str| (StatusCode::CONFLICT, Some(kind.to_owned()));

    assert_eq!(client.post(id, "capture", "0", "").await.0, StatusCode::NOT_FOUND);
    client.authorize(id, "1", 100, "tok_visa").await;
    assert_eq!(kind(client.post(id, "refund", "2", "").await), conflict("payment-not-captured"));
    client.post(id, "capture", "3", "").await;
    assert_eq!(kind(client.post(id, "void", "4", "").await), conflict("payment-captured"));
    client.post(id, "refund", "5", "").await;
    assert_eq!(client.post(id, "refund", "6", "").await.0, StatusCode::OK, "again, under another key");
    assert_eq!(kind(client.post(id, "capture", "7", "").await), conflict("payment-refunded"));
}

#[tokio::test]
async fn a_card_says_no_with_a_reason() {
    let (client, declined, unpaid) = (client(), Uuid::now_v7(), Uuid::now_v7());
    let (status, problem) = client.authorize(declined, "1", 100, "tok_declined").await;
    assert_eq!(status, StatusCode::PAYMENT_REQUIRED);
    assert_eq!(
        problem,
        json!({"type": "card-declined", "title": "The card was declined", "status": 402, "reason": "card_declined"})
    );

    assert_eq!(client.authorize(unpaid, "2", 100, "tok_capture_declined").await.0, StatusCode::OK);
    assert_eq!(client.post(unpaid, "capture", "3", "").await.0, StatusCode::PAYMENT_REQUIRED);
    assert_eq!(client.post(unpaid, "void", "4", "").await.0, StatusCode::OK);
}

#[tokio::test]
async fn the_bomb_breaks_the_provider_and_books_nothing() {
    let (client, id) = (client(), Uuid::now_v7());
    for key in ["same", "same", "other"] {
        assert_eq!(client.authorize(id, key, 9999, "tok_visa").await.0, StatusCode::INTERNAL_SERVER_ERROR);
    }
    assert_eq!(client.get("/v1/ledger").await.1, json!({"entries": [], "totals": {}}));
    assert_eq!(client.get(&format!("/v1/payments/{id}")).await.0, StatusCode::NOT_FOUND);
    assert_eq!(client.authorize(id, "fine", 9998, "tok_visa").await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_failing_provider_has_sometimes_done_what_it_was_asked_for() {
    let client = client();
    client.set(json!({"failure_rate": 1})).await;
    for payment in 0..100 {
        let id = Uuid::from_u128(payment);
        assert_eq!(
            client.authorize(id, &id.to_string(), 1, "tok_visa").await.0,
            StatusCode::SERVICE_UNAVAILABLE,
            "it always fails"
        );
    }
    client.set(json!({})).await;
    let booked = client.get("/v1/ledger").await.1["entries"].as_array().map(Vec::len).expect("a list");
    assert!((1..100).contains(&booked), "{booked} of 100 were booked");
    for payment in 0..100 {
        let id = Uuid::from_u128(payment);
        assert_eq!(client.authorize(id, &id.to_string(), 1, "tok_visa").await.0, StatusCode::OK);
    }
    assert_eq!(client.get("/v1/ledger").await.1["totals"]["JPY"]["authorized"], 100, "each once");
}

#[tokio::test(start_paused = true)]
async fn a_slow_provider_answers_after_its_delay() {
    let client = client();
    client.set(json!({"delay_ms": 60_000})).await;
    let begun = tokio::time::Instant::now();
    assert_eq!(client.authorize(Uuid::now_v7(), "1", 100, "tok_visa").await.0, StatusCode::OK);
    assert_eq!(begun.elapsed().as_secs(), 60);
}

#[tokio::test]
async fn settings_can_be_read_and_changed_but_not_to_nonsense() {
    let client = client();
    let (_, before) = client.get("/v1/settings").await;
    for nonsense in [json!({"failure_rate": 2}), json!({"delay_ms": -1}), json!({"delay": 1}), json!("quiet")] {
        assert_eq!(client.set(nonsense.clone()).await.0, StatusCode::BAD_REQUEST, "{nonsense}");
    }
    assert_eq!(client.get("/v1/settings").await.1, before);

    client.set(json!({"declined_tokens": ["tok_visa"]})).await;
    assert_eq!(client.authorize(Uuid::now_v7(), "1", 100, "tok_visa").await.0, StatusCode::PAYMENT_REQUIRED);
    assert_eq!(client.set(json!({})).await.1, before, "what is left out takes its default");
}

#[tokio::test]
async fn what_is_not_understood_is_a_problem_not_a_booking() {
    let (client, id) = (client(), Uuid::now_v7());
    let charge = json!({"amount": 1, "currency": "JPY", "token": "tok_visa"});
    for body in [
        json!({"amount": -1, "currency": "JPY", "token": "tok_visa"}),
        json!({"amount": 1.5, "currency": "JPY", "token": "tok_visa"}),
        json!({"amount": 1, "currency": "yen", "token": "tok_visa"}),
        json!({"amount": 1, "currency": "JPY", "token": ""}),
        json!({"amount": 1, "currency": "JPY"}),
        json!(null),
    ] {
        assert_eq!(client.post(id, "authorize", "k", &body).await.0, StatusCode::BAD_REQUEST, "{body}");
    }
    assert_eq!(client.post(id, "capture", "k", r#"{"amount":1}"#).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(client.post(id, "authorize", &"k".repeat(256), &charge).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(client.post(id, "steal", "k", &charge).await.0, StatusCode::NOT_FOUND);

    let uri = format!("/v1/payments/{id}/authorize");
    let without_key = Request::post(&uri).body(Body::from(charge.to_string())).expect("a request");
    assert_eq!(client.send(without_key).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(client.get(&uri).await.0, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(client.get("/v1/payments/17").await.0, StatusCode::NOT_FOUND);
    assert_eq!(client.get("/v1/ledger?payment_id=17").await.0, StatusCode::BAD_REQUEST);
    assert_eq!(client.get("/v2").await.0, StatusCode::NOT_FOUND);
    assert_eq!(client.get("/v1/ledger").await.1["entries"], json!([]));
}
