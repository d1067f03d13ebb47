//! The list of one's own orders.

use axum::http::StatusCode;
use serde_json::Value;

use crate::{
    client::{Client, one, shop},
    door::Guarded,
};

/// The ids of a page, and the way to the next one.
async fn page(client: &Client, query: &str) -> (Vec<String>, Option<String>) {
    let answer = client.get(&format!("/orders{query}")).await;
    assert_eq!(answer.status, StatusCode::OK, "{query}: {}", answer.body);
    let orders = answer.body["orders"].as_array().expect("orders").iter();
    let ids = orders.map(|order| order["order_id"].as_str().expect("an id").to_owned()).collect();
    (ids, answer.body["next"].as_str().map(str::to_owned))
}

async fn place(client: &Client) -> String {
    client.place(one(1)).await.body["order_id"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn a_list_is_read_by_pages_newest_first_whatever_comes_meanwhile() {
    let db = shop().await;
    let guarded = Guarded::over(&db);
    let client = guarded.as_user("1", &[]);
    let mut all = Vec::new();
    for _ in 0..5 {
        all.insert(0, place(&client).await);
    }
    // All at the same time, to the microsecond: their ids decide.
    db.run("update orders set created_at = (select min(created_at) from orders)").await;
    all.sort();
    all.reverse();
    let (mut read, mut query) = (Vec::new(), "?limit=2".to_owned());
    loop {
        let (ids, next) = page(&client, &query).await;
        assert!(ids.len() <= 2);
        read.extend(ids);
        let Some(next) = next else { break };
        query = format!("?limit=2&after={next}");
        // A newer one is on no later page.
        place(&client).await;
    }
    assert_eq!(read, all);
    let (newest, more) = page(&client, "").await;
    assert_eq!((newest.len(), more), (7, None));
    assert_eq!(newest[2..], all);
}

#[tokio::test]
async fn nobody_lists_anothers_orders() {
    let db = shop().await;
    let guarded = Guarded::over(&db);
    let (owner, other) = (guarded.as_user("1", &[]), guarded.as_user("2", &[]));
    let (first, second) = (place(&owner).await, place(&owner).await);
    assert_eq!(page(&other, "").await, (Vec::new(), None));
    // Nor by going on from a page of another.
    let (_, next) = page(&owner, "?limit=1").await;
    let after = format!("?after={}", next.expect("a second page"));
    assert_eq!(page(&other, &after).await, (Vec::new(), None));
    let refused = other.get("/orders?user_id=1").await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    // With a scope that lifts the owner rule, the same request lists them.
    for scope in ["orders:any", "orders:read:any"] {
        let operator = guarded.as_user("2", &[scope]);
        assert_eq!(page(&operator, "?user_id=1").await.0, [second.clone(), first.clone()]);
        assert_eq!(page(&operator, "").await.0, [""; 0]);
    }
}

#[tokio::test]
async fn a_malformed_page_is_refused() {
    let db = shop().await;
    let guarded = Guarded::over(&db);
    let client = guarded.as_user("1", &[]);
    for query in
        ["?limit=0", "?limit=101", "?limit=-1", "?limit=x", "?after=", "?after=AAAA", "?after=%27%3B", "?page=2"]
    {
        let answer = client.get(&format!("/orders{query}")).await;
        assert_eq!(
            (answer.status, &answer.body["type"]),
            (StatusCode::BAD_REQUEST, &Value::from("malformed")),
            "{query}"
        );
    }
    assert_eq!(page(&client, "?limit=100").await, (Vec::new(), None));
}

#[tokio::test]
async fn where_no_tokens_are_asked_for_there_is_no_list() {
    let db = shop().await;
    assert_eq!(Client::new(&db).get("/orders").await.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn a_page_is_read_from_the_index() {
    let db = shop().await;
    let mut connection = db.pool().acquire().await.expect("a connection");
    sqlx::query("set enable_seqscan = off").execute(&mut *connection).await.expect("set");
    let plan: Vec<String> = sqlx::query_scalar(
        "explain select id from orders where user_id = 1 and (created_at, id) < (now(), 'ffffffff-ffff-ffff-ffff-ffffffffffff')
         order by created_at desc, id desc limit 20",
    )
    .fetch_all(&mut *connection)
    .await
    .expect("a plan");
    let plan = plan.join("\n");
    assert!(plan.contains("orders_of_a_user") && !plan.contains("Sort"), "{plan}");
}
