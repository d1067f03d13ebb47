//! Order ids that are derived with a key.

use axum::http::StatusCode;
use events::{OrderId, UserId, order_id, order_id::Derivation};
use order::{Orders, api};
use personal_data::Vault;
use saga::testing::TestDatabase;
use serde_json::json;

use crate::client::{Answer, Client, one, shop, with};

const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const NEXT: &str = "/////////////////////////////////////////w8=";

/// The API with ids of these keys.
fn client(db: &TestDatabase, key: &str, former: &str) -> Client {
    let ids = Derivation::with_keys(key, former).expect("keys");
    let orders = Orders { ids: ids.clone(), ..Orders::default() };
    Client::over(api::routes(db.work(orders), ids, None, Vault::default()))
}

fn id_of(answer: &Answer) -> OrderId {
    answer.body["order_id"].as_str().expect("an id").parse().expect("a UUID")
}

#[tokio::test]
async fn nobody_guesses_or_takes_the_id_that_anothers_key_is_going_to_get() {
    let db = shop().await;
    let keyed = client(&db, KEY, "");
    let guessed = order_id::from_idempotency_key(UserId(1), "cart-17");
    let theft = with(one(1), json!({"order_id": guessed, "user_id": 2}));
    let refused = keyed.place(theft.clone()).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    let placed = keyed.post("/orders", &[("idempotency-key", "cart-17")], one(1)).await;
    assert_eq!(placed.status, StatusCode::ACCEPTED);
    assert_ne!(id_of(&placed), guessed);
    assert_eq!(keyed.get(&format!("/orders/{guessed}")).await.status, StatusCode::NOT_FOUND);
    // Nor is the keyed id, once seen, anyone else's to name.
    let seen = with(theft, json!({"order_id": id_of(&placed)}));
    assert_eq!(keyed.place(seen).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    // Without the key anyone finds the order by computing its id.
    let plain = client(&db, "", "");
    let placed = plain.post("/orders", &[("idempotency-key", "cart-18")], one(1)).await;
    assert_eq!(id_of(&placed), order_id::from_idempotency_key(UserId(1), "cart-18"));
}

#[tokio::test]
async fn a_changed_key_makes_no_second_order_of_a_request_of_before() {
    let db = shop().await;
    let request = async |client: Client| client.post("/orders", &[("idempotency-key", "cart-17")], one(1)).await;
    let first = request(client(&db, "", "")).await;
    for (key, former) in [(KEY, ""), (KEY, NEXT), (NEXT, KEY)] {
        let again = request(client(&db, key, former)).await;
        assert_eq!((again.status, id_of(&again)), (StatusCode::ACCEPTED, id_of(&first)), "{key} {former}");
    }
    let other = shop().await;
    let first = request(client(&other, KEY, "")).await;
    let again = request(client(&other, NEXT, KEY)).await;
    assert_eq!(id_of(&again), id_of(&first));
    // Without the former key the request is a new one.
    assert_ne!(id_of(&request(client(&other, NEXT, "")).await), id_of(&first));
}
