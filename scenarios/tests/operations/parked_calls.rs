//! A call that only an operator can settle, up to the end of its order.

use saga::outbox::kafka::Cluster;
use scenarios::{requests::Client, stack::until};
use serde_json::json;
use sqlx::PgPool;
use transport::Transport;
use uuid::Uuid;

use crate::{BOUND, Up, ends};

/// Heidi, who pays by card, and a mug.
const USER: i64 = 8;
const MUG: i64 = 3;

/// The provider refuses the refund for a reason of its own, so the operator has it refunded by other means.
pub(crate) async fn are_answered_by_hand(up: &Up) {
    let (orders, accounts) = (up.database("ORDERS").await, up.database("ACCOUNTS").await);
    let before = balance(&accounts).await;
    let order = Uuid::now_v7();
    // The refund's idempotency key is already used, so the provider will refuse it.
    at_provider(up, &Uuid::now_v7().to_string(), "void", &format!("{order}:refund")).await;
    let request = json!({
        "user_id": USER, "payment_method_id": USER, "items": [{ "product_id": MUG, "quantity": 1 }],
        "order_id": order, "ship_to": "3 Reef Street, Atlantis",
    });
    let client = Client::new(&Cluster::at(up.get("KAFKA_BROKERS"), &Transport::plain())).unwrap();
    client.request(events::OrderId(order), &request).await.unwrap();

    let is_parked = async || {
        let said = up.does(&["parked", "list"]).await;
        said.lines().find(|line| line.contains(&order.to_string())).map(str::to_owned)
    };
    let line = until("the refund is parked", BOUND, is_parked).await.unwrap();
    assert!(line.contains("payments") && line.contains("idempotency-key-reused"), "{line}");
    let id = line.split_whitespace().next().unwrap();
    assert_eq!(balance(&accounts).await, before - 500, "the money is gone, and the order waits");

    // A retry gets the same answer; and if the call were merely dropped, nothing would ever follow.
    up.does(&["parked", "retry", id]).await;
    until("it is parked again", BOUND, is_parked).await.unwrap();
    let (success, said) = up.run(&["parked", "resolve", id, "--note", "done"]).await;
    assert!(!success && said.contains(&format!("scenarios parked answer {id} --as refunded|voided")), "{said}");
    let (success, said) = up.run(&["parked", "answer", id, "--as", "captured"]).await;
    assert!(!success && said.contains("whose answers are refunded, voided"), "{said}");

    at_provider(up, &order.to_string(), "refund", "by hand").await;
    up.does(&["parked", "answer", id, "--as", "refunded", "--note", "refunded by phone"]).await;
    ends(&orders, order, "CANCELLED").await;
    assert_eq!(balance(&accounts).await, before, "the money is back");
    assert!(up.does(&["parked", "show", id]).await.contains("answer by ophelia (unverified): refunded by phone"));
    let why: String =
        sqlx::query_scalar("select reason from orders where id = $1").bind(order).fetch_one(&orders).await.unwrap();
    assert_eq!(why, "unshippable_address");
    up.does(&["verify"]).await;
}

async fn at_provider(up: &Up, payment: &str, operation: &str, key: &str) {
    let url = format!("{}/v1/payments/{payment}/{operation}", up.get("GATEWAY_URL"));
    let answer = Transport::plain()
        .http()
        .unwrap()
        .build()
        .unwrap()
        .post(url)
        .header("idempotency-key", key)
        .send()
        .await
        .unwrap();
    assert!(answer.status().is_success(), "{answer:?}");
}

async fn balance(accounts: &PgPool) -> i64 {
    sqlx::query_scalar("select balance from balances where user_id = $1 and currency = 'JPY'")
        .bind(USER)
        .fetch_one(accounts)
        .await
        .unwrap()
}
