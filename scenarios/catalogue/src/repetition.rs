//! Events that are redelivered, or arrive out of order.

use chrono::Utc;
use events::{OrderId, Publisher, Reason, publisher, request::ORDER_REQUESTED};
use operations::{listener::Listener, order_ids, requests::SOURCE};
use serde_json::{Value, json};
use testbed::{
    Database,
    cast::{ALBUM, FONT, ICON, NIAJ, OLIVIA, TRENT},
    until,
};

use crate::{
    ending::{BUYER_STOPPED, Ending},
    play::{Play, Wish},
};

pub(super) async fn same_request_thrice(play: &mut Play) -> anyhow::Result<()> {
    play.owns(NIAJ, 1_000).await?;
    play.in_stock(FONT, 10).await?;
    let wish = Wish::of(NIAJ, &[(FONT, 1)]);
    let order = play.publish(&wish).await?;
    play.publish(&wish).await?;
    // The third time as a bare value, as from a console.
    play.stage().client.bare(None, Some(wish.data().to_string().as_bytes())).await?;
    play.ends(order, &Ending::unlocked("receipt")).await?;
    play.then_owns(NIAJ, 1_000 - FONT.price).await?;
    play.then_in_stock(FONT, 9).await
}

pub(super) async fn key_reused(play: &mut Play) -> anyhow::Result<()> {
    play.owns(OLIVIA, 1_000).await?;
    play.in_stock(ALBUM, 10).await?;
    let key = OrderId(uuid::Uuid::now_v7()).to_string();
    let request = |quantity: i64| {
        json!({
            "user_id": OLIVIA.id, "payment_method_id": OLIVIA.id, "idempotency_key": key,
            "items": [{ "product_id": ALBUM.id, "quantity": quantity }],
        })
        .to_string()
    };
    let order = order_ids::checked()?.from_idempotency_key(OLIVIA.user_id(), &key);
    play.follow(order);
    let stage = play.stage();
    stage.client.bare(Some(&key), Some(request(1).as_bytes())).await?;
    stage.client.bare(Some(&key), Some(request(1).as_bytes())).await?;
    stage.client.bare(Some(&key), Some(request(2).as_bytes())).await?;
    play.ends(order, &Ending::unlocked("receipt")).await?;
    let other = request(2).into_bytes();
    let is_letter =
        |listener: &Listener| listener.dead_letters().iter().any(|letter| letter.value.as_deref() == Some(&other));
    let came = stage.listener.wait(stage.patience, is_letter).await;
    play.check("the request with other content is a dead letter", || {
        (!came).then(|| "no such dead letter came".to_owned())
    });
    play.then_owns(OLIVIA, 1_000 - ALBUM.price).await?;
    play.then_in_stock(ALBUM, 9).await
}

/// Source of events on a service's topic that the service did not publish.
const OPERATOR: &str = "/operators/scenarios";

/// Every cancellation overtakes its action; then every action arrives, and has no effect.
pub(super) async fn compensation_first(play: &mut Play) -> anyhow::Result<()> {
    play.owns(TRENT, 1_000).await?;
    play.in_stock(ICON, 10).await?;
    let wish = Wish::of(TRENT, &[(ICON, 1)]);
    let order = wish.order_id();
    play.follow(order);
    let facts = json!({ "order": {
        "order_id": order, "user_id": TRENT.id, "payment_method_id": TRENT.id, "currency": ICON.currency,
        "total": ICON.price,
        "items": [{ "product_id": ICON.id, "quantity": 1, "unit_price": ICON.price, "kind": ICON.kind }],
    }});
    let stage = play.stage();
    let say = async |publisher: Publisher, event_type: &str, data: &Value| {
        // Published as an operator: with the service's own source, the audit would report a forgery.
        stage.client.event(publisher.topic(), OPERATOR, event_type, order, data).await
    };
    say(publisher::ORDER, "OrderCancelRequested", &facts).await?;
    let ending = Ending::stopped(Reason::CancelledByUser, BUYER_STOPPED);
    play.ends(order, &ending).await?;

    stage.client.request(order, wish.data()).await?;
    say(publisher::ORDER, "OrderCreated", &facts).await?;
    say(publisher::ACCOUNT, "BalanceReserved", &facts).await?;
    say(publisher::PAYMENT, "PaymentAuthorized", &facts).await?;
    say(publisher::PAYMENT, "PaymentCaptured", &facts).await?;
    // A later order on the same partition shows that all of this has been read.
    everyone_has_read(play, order).await?;
    let late = ["OrderRequested", "OrderCreated", "BalanceReserved", "PaymentAuthorized", "PaymentCaptured"];
    let answers: Vec<String> = stage
        .listener
        .of(order)
        .into_iter()
        .filter(|event| {
            !late.contains(&event.event_type.as_str()) && !ending.events().contains(&event.event_type.as_str())
        })
        .map(|event| event.event_type)
        .collect();
    play.same("actions after their cancel are answered by nothing", &Vec::<String>::new(), &answers);
    play.then_owns(TRENT, 1_000).await?;
    play.then_in_stock(ICON, 10).await
}

/// Waits until order, account, payment and inventory have each read past what was published for `order`: their inboxes contain
/// the ids of the last events on its partitions.
async fn everyone_has_read(play: &mut Play, order: OrderId) -> anyhow::Result<()> {
    let stage = play.stage();
    let readers = [
        ("OrderRequested", Database::ORDERS),
        ("OrderCreated", Database::ACCOUNTS),
        ("BalanceReserved", Database::PAYMENTS),
        ("PaymentCaptured", Database::INVENTORY),
    ];
    for (event_type, database) in readers {
        let heard =
            |listener: &Listener| listener.of(order).into_iter().rev().find(|event| event.event_type == event_type);
        stage.listener.wait(stage.patience, |listener| heard(listener).is_some()).await;
        let read = match heard(&stage.listener) {
            None => false,
            Some(event) => {
                // An inbox stores the id of a client's or an operator's event together with its source, and with its buyer.
                let now = Utc::now().timestamp_millis().unsigned_abs();
                let id = match event_type {
                    ORDER_REQUESTED => event.id.of_owner(SOURCE, &TRENT.id.to_string(), now),
                    _ => event.id.of_source(OPERATOR, now),
                };
                let known = async || {
                    let known: Result<bool, _> =
                        sqlx::query_scalar("select exists (select from inbox where event_id = $1)")
                            .bind(id.0)
                            .fetch_one(stage.databases.of_service(database))
                            .await;
                    known.ok().filter(|known| *known)
                };
                until("the inbox knows it", stage.patience, known).await.is_ok()
            }
        };
        play.check(format!("{event_type} arrives late in {database}"), || {
            (!read).then(|| "it was never read".to_owned())
        });
    }
    Ok(())
}
