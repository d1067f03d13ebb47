//! Requests of every malformed kind.

use events::{OrderId, Reason, envelope::MAX_VALUE_BYTES};
use operations::listener::Listener;
use serde_json::{Value, json};
use testbed::cast::{MALLORY, MAP};
use uuid::Uuid;

use crate::{
    ending::Ending,
    play::{Play, Wish},
};

/// Values that cannot be read as a request: they become dead letters.
fn unreadable() -> Vec<(&'static str, Option<Vec<u8>>)> {
    let json = |value: Value| Some(value.to_string().into_bytes());
    vec![
        ("not JSON", Some(b"one Bitcoin, please".to_vec())),
        ("null, a tombstone", None),
        ("an empty value", Some(Vec::new())),
        ("JSON null", Some(b"null".to_vec())),
        ("a list", Some(b"[1, 2, 3]".to_vec())),
        ("no items", json(json!({ "user_id": 13, "payment_method_id": 13 }))),
        ("items of the wrong type", json(json!({ "user_id": 13, "payment_method_id": 13, "items": "all" }))),
        ("a user of the wrong type", json(json!({ "user_id": "mallory", "payment_method_id": 13, "items": [] }))),
        (
            "half a piece",
            json(json!({ "user_id": 13, "payment_method_id": 13, "items": [{ "product_id": 13, "quantity": 0.5 }] })),
        ),
        (
            "a number that no machine holds",
            Some(br#"{"user_id":13,"payment_method_id":13,"items":[{"product_id":13,"quantity":1e99}]}"#.to_vec()),
        ),
        (
            "an order id that is none",
            json(json!({ "user_id": 13, "payment_method_id": 13, "items": [], "order_id": "17" })),
        ),
        ("bytes that are no text", Some(b"{\"user_id\":13,\"ship_to\":\"\xff\xfe\"}".to_vec())),
        ("deeply nested", Some([b"[".repeat(5_000), b"]".repeat(5_000)].concat())),
        ("too large", Some(vec![b' '; MAX_VALUE_BYTES + 1])),
    ]
}

/// Requests that can be read but make no sense: they are rejected with a reason.
fn senseless() -> Vec<(&'static str, Reason, Value)> {
    let items = |items: Value| json!({ "user_id": MALLORY.id, "payment_method_id": MALLORY.id, "items": items });
    let some = |quantity: i64| items(json!([{ "product_id": MAP.id, "quantity": quantity }]));
    vec![
        ("an empty list of items", Reason::InvalidRequest, items(json!([]))),
        ("quantity 0", Reason::InvalidRequest, some(0)),
        ("a negative quantity", Reason::InvalidRequest, some(-3)),
        ("a total that overflows", Reason::InvalidRequest, some(i64::MAX)),
        (
            "an address with a NUL in it",
            Reason::InvalidRequest,
            json!({ "user_id": MALLORY.id, "payment_method_id": MALLORY.id, "ship_to": "Tok\u{0}yo",
                    "items": [{ "product_id": MAP.id, "quantity": 1 }] }),
        ),
        ("an unknown product", Reason::UnknownProduct, items(json!([{ "product_id": 999_999_999, "quantity": 1 }]))),
    ]
}

pub(super) async fn malformed(play: &mut Play) -> anyhow::Result<()> {
    play.owns(MALLORY, 1_000).await?;
    play.in_stock(MAP, 10).await?;
    let stage = play.stage();
    let good = Wish::of(MALLORY, &[(MAP, 1)]);
    // The same key, so the same partition, ahead of the good request.
    let key = good.order_id().to_string();

    let mut letters = Vec::new();
    for (what, value) in unreadable() {
        letters.push((what, stage.client.bare(Some(&key), value.as_deref()).await?, value));
    }
    let mut rejected = Vec::new();
    for (what, reason, mut data) in senseless() {
        let order = OrderId(Uuid::now_v7());
        data["order_id"] = json!(order);
        stage.client.bare(Some(&key), Some(data.to_string().as_bytes())).await?;
        play.include(order);
        rejected.push((what, order, reason));
    }
    let stranger = OrderId(Uuid::now_v7());
    let unknown_user = json!({
        "order_id": stranger, "user_id": 999_999_999, "payment_method_id": 1, "items": [{ "product_id": MAP.id, "quantity": 1 }],
    });
    stage.client.bare(Some(&key), Some(unknown_user.to_string().as_bytes())).await?;
    play.include(stranger);
    stage.client.bare(Some(&key), Some(good.data().to_string().as_bytes())).await?;
    play.follow(good.order_id());

    for (what, place, value) in letters {
        let is_letter = |listener: &Listener| {
            listener.dead_letters().iter().any(|letter| {
                let header = |name: &str| {
                    letter.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_slice())
                };
                letter.value == value
                    && letter.key.as_deref() == Some(key.as_bytes())
                    && header("kafka_dlt-original-offset") == Some(&place.offset.to_be_bytes())
                    && header("kafka_dlt-original-partition") == Some(&place.partition.to_be_bytes())
                    && header("kafka_dlt-exception-message").is_some_and(|why| !why.is_empty())
            })
        };
        let came = stage.listener.wait(stage.patience, is_letter).await;
        play.check(format!("{what}: a dead letter with the original value"), || {
            (!came).then(|| "no such dead letter came".to_owned())
        });
    }
    for (what, order, reason) in rejected {
        let ending = Ending::rejected(reason);
        let mut inner = Play::new(stage.clone());
        inner.ends(order, &ending).await?;
        play.adopt(&format!("{what}: rejected with {reason}"), inner);
    }
    let mut inner = Play::new(stage.clone());
    let refused = Ending::cancelled(Reason::UnknownUser, 0)
        .because(&["OrderRequested", "OrderCreated", "BalanceRejected", "OrderCancelled", "NotificationSent"])
        .rows(|rows| rows.account = Some("REJECTED"));
    inner.ends(stranger, &refused).await?;
    play.adopt("an unknown user: cancelled with unknown_user", inner);

    let bought = Ending::unlocked("receipt");
    play.ends(good.order_id(), &bought).await?;
    play.then_owns(MALLORY, 1_000 - MAP.price).await?;
    play.then_in_stock(MAP, 9).await
}
