//! Rows whose columns were exchanged by someone who can write to the database, but has no key.

use std::sync::Arc;

use events::{Currency, OrderId, UserId};
use payment::{
    calls::{Call, Charge},
    gateway::{Access, Gateway},
    method::MethodType,
    sealed_details::{Keys, Place, Unopened},
};
use saga::attempts::{Answer, Attempt, Outside};
use sealing::{Binding, Envelope};
use serde_json::json;
use transport::Transport;
use uuid::Uuid;

use crate::shop::{Shop, card};

const ALICE: i64 = 1;
const BOB: i64 = 2;

/// A part of the binding.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lock {
    Row,
    Owner,
    Type,
}

/// The binding of a place with one of its locks taken out.
fn binding(place: &Place, without: Option<Lock>) -> Binding {
    let fields: [(Lock, &[u8]); 3] = [
        (Lock::Row, &place.method.0.to_be_bytes()),
        (Lock::Owner, &place.owner.0.to_be_bytes()),
        (Lock::Type, place.method_type.as_str().as_bytes()),
    ];
    let kept = fields.into_iter().filter(|(lock, _)| Some(*lock) != without);
    kept.fold(Binding::of("payment_methods.method_details"), |binding, (_, field)| binding.and(field))
}

#[tokio::test]
async fn details_open_only_in_their_own_row_for_their_owner_and_as_their_type() {
    let shop = Shop::open().await;
    let home = card(1, ALICE);
    assert_eq!(binding(&home, None), home.binding(), "the twin differs in the missing lock alone");
    for (lock, moved) in [
        (Lock::Row, card(2, ALICE)),
        (Lock::Owner, card(1, BOB)),
        (Lock::Type, Place { method_type: MethodType::Wallet, ..home }),
    ] {
        let sealed = shop.keys().seal(&home, "{}").expect("sealed");
        assert!(shop.keys().open(&home, &sealed).is_ok());
        assert_eq!(shop.keys().open(&moved, &sealed).err(), Some(Unopened::Forged));
        assert_eq!(shop.keys().renew(&moved, &sealed).ok(), Some(None), "under the active key: nothing to renew");

        let twin = Envelope::seal(&*shop.keyring, &binding(&home, Some(lock)), b"{}").expect("sealed");
        assert!(twin.open(&*shop.keyring, &binding(&moved, Some(lock))).is_ok(), "without the lock, it opens");
    }
}

/// A client of a gateway that nobody listens at: a call that is made fails, and is worth another try.
async fn gateway(shop: &Shop, keys: Keys) -> Gateway {
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
    let gateway_url = format!("http://{nobody}").parse().expect("a URL");
    let access = Access { gateway_url, gateway_timeout_ms: 1000 };
    Gateway::new(&access, keys, &Transport::plain()).expect("a client").reading(shop.sessions())
}

/// The call for an order of this buyer's, to be paid with this method.
fn authorize(method: i64, buyer: i64) -> Attempt {
    let charge = Charge {
        payment_method_id: events::PaymentMethodId(method),
        user_id: Some(UserId(buyer)),
        sealed_details: None,
        amount: 100,
        currency: Currency::JPY,
    };
    let saga_id = OrderId(Uuid::now_v7());
    Attempt {
        id: Uuid::now_v7(),
        kind: Call::Authorize.to_string(),
        saga_id,
        idempotency_key: format!("{saga_id}:authorize"),
        request: json!(charge),
        gives_up: true,
        tries: 1,
        causation_id: None,
        traceparent: None,
        settled_as: None,
    }
}

#[tokio::test]
async fn nobody_pays_with_a_card_whose_row_was_exchanged() {
    let exchanges = [
        "update payment_methods m set id = -m.id; update payment_methods set id = 3 + id",
        "update payment_methods set user_id = 3 - user_id",
        "update payment_methods m set method_details = o.method_details from payment_methods o where o.id = 3 - m.id",
    ];
    for exchange in exchanges {
        let shop = Shop::open().await;
        shop.card(1, ALICE).await;
        shop.card(2, BOB).await;
        let gateway = gateway(&shop, shop.keys()).await;
        let before = gateway.call(&authorize(1, ALICE)).await;
        assert!(matches!(before, Answer::Transient(_)), "the call is made: {before:?}");
        shop.db.run(exchange).await;
        for (method, buyer) in [(1, ALICE), (2, BOB), (1, BOB), (2, ALICE)] {
            let Answer::NeedsPerson(why) = gateway.call(&authorize(method, buyer)).await else {
                panic!("user {buyer} pays with method {method} after: {exchange}")
            };
            assert!(why.ends_with(&Unopened::Forged.to_string()) && !why.contains("tok_"), "{why}");
        }
    }
}

/// The first format is bound to the row alone. That is why it is to be rotated away.
#[tokio::test]
async fn the_first_format_does_not_notice_another_owner_and_the_second_does() {
    let shop = Shop::open().await;
    shop.first_card(1, ALICE).await;
    shop.card(2, ALICE).await;
    shop.db.run("update payment_methods set user_id = 2").await;
    assert_eq!(shop.token(&shop.keys(), 1).await.as_deref(), Ok("tok_1"), "the lock is missing here");
    assert_eq!(shop.token(&shop.keys(), 2).await, Err(Unopened::Forged));
}

/// An attempt of an earlier version has a copy of details of the first format, whose key may be gone when it is made.
#[tokio::test]
async fn an_older_attempt_whose_key_is_gone_reads_the_row() {
    let shop = Shop::open().await;
    shop.first_card(1, ALICE).await;
    let copy: String =
        sqlx::query_scalar("select method_details from payment_methods").fetch_one(shop.db.pool()).await.expect("read");
    let mut attempt = authorize(1, ALICE);
    attempt.request["sealed_details"] = json!(copy);
    attempt.request.as_object_mut().expect("an object").remove("user_id");
    let gateway = gateway(&shop, Keys::of(shop.keyring.clone())).await;
    let Answer::NeedsPerson(why) = gateway.call(&attempt).await else { panic!("no key for it") };
    assert!(why.contains("PAYMENT_DETAILS_KEY is not set"), "{why}");

    let sessions = shop.sessions();
    let keys = shop.keys();
    payment::keys::rotation::Rotation::new(&sessions, &keys, 10).run(std::time::Duration::ZERO).await.expect("rotated");
    assert!(matches!(Arc::new(gateway).call(&attempt).await, Answer::Transient(_)), "the call is made");
}
