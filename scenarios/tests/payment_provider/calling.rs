//! The client against the real gateway, over loopback.

use std::{net::SocketAddr, sync::Arc};
use transport::Transport;

use events::{OrderId, Reason};
use payment::{
    Command,
    calls::{Call, Charge},
    gateway::{Access, Gateway},
    lifecycle::Step,
    sealed_details::{Keys, v1::seal},
};
use payment_gateway::{books::Books, http, settings::Settings};
use saga::attempts::{Answer, Attempt, Outside};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::orders::{ALICE, METHOD};

/// Base64 of 32 bytes.
const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// Encrypted details of a card with this token, for the method.
pub(crate) fn sealed(token: &str) -> String {
    seal(&KEY.parse().expect("32 bytes"), METHOD, &format!(r#"{{"token":"{token}","last4":"4242"}}"#))
}

/// A gateway on a port of its own, which runs until the end of the test.
pub(crate) async fn serve(settings: Value) -> SocketAddr {
    let settings: Settings = serde_json::from_value(settings).expect("settings");
    let gateway = http::Gateway::new(Books::in_memory(), settings);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, http::routes(Arc::new(gateway))).await });
    address
}

pub(crate) fn client(address: SocketAddr, timeout_ms: u64) -> Gateway {
    let gateway_url = format!("http://{address}").parse().expect("a URL");
    let access = Access { gateway_url, gateway_timeout_ms: timeout_ms };
    Gateway::new(&access, Keys::default().with_first(KEY.parse().expect("32 bytes")), &Transport::plain())
        .expect("a client")
}

fn attempt(order_id: OrderId, call: Call, request: Value) -> Attempt {
    Attempt {
        id: Uuid::now_v7(),
        kind: call.to_string(),
        saga_id: order_id,
        idempotency_key: format!("{order_id}:{call}"),
        request,
        gives_up: call == Call::Authorize,
        tries: 1,
        causation_id: None,
        traceparent: None,
        settled_as: None,
    }
}

fn authorize(order_id: OrderId, amount: i64, token: &str) -> Attempt {
    let charge = Charge {
        payment_method_id: METHOD,
        user_id: Some(ALICE),
        sealed_details: Some(sealed(token)),
        amount,
        currency: events::Currency::JPY,
    };
    attempt(order_id, Call::Authorize, json!(charge))
}

fn other(order_id: OrderId, call: Call) -> Attempt {
    attempt(order_id, call, json!({}))
}

fn done(order_id: OrderId, step: Step) -> Answer<Command> {
    Answer::Done(Command::answered(order_id, step))
}

fn new_order() -> OrderId {
    OrderId(Uuid::now_v7())
}

#[tokio::test]
async fn a_card_is_charged_collected_and_given_back() {
    let client = client(serve(json!({})).await, 2000);
    let id = new_order();
    for _ in 0..2 {
        assert_eq!(client.call(&authorize(id, 100, "tok_visa")).await, done(id, Step::Authorized));
        assert_eq!(client.call(&other(id, Call::Capture)).await, done(id, Step::Captured));
        assert_eq!(client.call(&other(id, Call::Refund)).await, done(id, Step::Refunded));
    }
}

#[tokio::test]
async fn a_card_that_says_no_is_an_answer() {
    let client = client(serve(json!({})).await, 2000);
    let (declined, unpaid) = (new_order(), new_order());
    let no = Reason::CardDeclined;
    let authorized = client.call(&authorize(declined, 100, "tok_declined")).await;
    assert_eq!(authorized, done(declined, Step::AuthorizeDeclined(no)));
    assert_eq!(client.call(&authorize(unpaid, 100, "tok_capture_declined")).await, done(unpaid, Step::Authorized));
    assert_eq!(client.call(&other(unpaid, Call::Capture)).await, done(unpaid, Step::CaptureRefused(no)));
    assert_eq!(client.call(&other(unpaid, Call::Void)).await, done(unpaid, Step::Voided));
}

#[tokio::test]
async fn an_authorization_after_its_void_is_declined() {
    let client = client(serve(json!({})).await, 2000);
    let id = new_order();
    assert_eq!(client.call(&other(id, Call::Void)).await, done(id, Step::Voided));
    let late = client.call(&authorize(id, 100, "tok_visa")).await;
    assert_eq!(late, done(id, Step::AuthorizeDeclined(Reason::CardDeclined)));
}

#[tokio::test]
async fn a_gateway_that_breaks_down_is_worth_another_try() {
    let client = client(serve(json!({})).await, 2000);
    let answer = client.call(&authorize(new_order(), 9999, "tok_visa")).await;
    assert_eq!(answer, Answer::Transient("500 Internal Server Error".into()));
}

#[tokio::test]
async fn a_gateway_that_is_slow_or_away_is_worth_another_try() {
    let slow = client(serve(json!({"delay_ms": 60_000})).await, 50);
    let Answer::Transient(why) = slow.call(&authorize(new_order(), 100, "tok_visa")).await else {
        panic!("a time-out is transient")
    };
    assert!(why.contains("timed out"), "{why}");

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let nobody = listener.local_addr().expect("an address");
    drop(listener);
    let Answer::Transient(why) = client(nobody, 2000).call(&other(new_order(), Call::Void)).await else {
        panic!("a refused connection is transient")
    };
    assert!(why.contains("refused"), "{why}");
}

#[tokio::test]
async fn what_retrying_cannot_mend_is_for_a_person() {
    let client = client(serve(json!({})).await, 2000);
    let id = new_order();
    let misled = client.call(&other(id, Call::RefundInstead)).await;
    assert_eq!(misled, Answer::NeedsPerson("404 Not Found: payment-unknown".into()));

    let mut foreign = authorize(id, 100, "tok_visa");
    foreign.request["payment_method_id"] = json!(METHOD.0 + 1);
    let Answer::NeedsPerson(why) = client.call(&foreign).await else { panic!("not to be opened") };
    assert!(why.starts_with("the details of payment method 2: they were encrypted with another key"), "{why}");
    assert!(matches!(client.call(&attempt(id, Call::Authorize, json!({}))).await, Answer::NeedsPerson(_)));
    let unheard_of = Attempt { kind: "steal".into(), ..other(id, Call::Capture) };
    assert_eq!(client.call(&unheard_of).await, Answer::NeedsPerson("`steal` is no call to the gateway".into()));
}

#[tokio::test]
async fn a_gateway_that_only_fails_is_left_alone() {
    let client = client(serve(json!({"failure_rate": 1})).await, 2000);
    for _ in 0..20 {
        assert!(matches!(client.call(&other(new_order(), Call::Void)).await, Answer::Transient(_)));
    }
    let answer = client.call(&other(new_order(), Call::Void)).await;
    assert_eq!(answer, Answer::NotCalled("the circuit to the payment gateway is open".into()));
}

#[test]
fn nonsense_is_refused_at_the_start() {
    let access = Access { gateway_url: "ftp://gateway".parse().expect("a URL"), gateway_timeout_ms: 1 };
    let error = Gateway::new(&access, Keys::default(), &Transport::plain()).expect_err("no HTTP");
    assert_eq!(error.to_string(), "GATEWAY_URL begins neither with https:// nor with http://");
}
