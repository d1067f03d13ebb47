//! A source of keys that is silent, slow, huge, garbled, or asked too often.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{Router, body::Body, routing::get};
use futures::stream;
use tokio::net::TcpListener;
use transport::Transport;

use super::misuse::issuer;
use crate::{
    Fault, Refusal, Verifier,
    claims::Rules,
    client,
    keys::{Keys, Times},
    source::{Reading, Source},
};

pub(super) const SOON: Duration = Duration::from_secs(20);
const BYTES: usize = 64 * 1024;

/// Times that no test waits for, unless it is about one.
pub(super) const TIMES: Times = Times {
    every: Duration::from_secs(3600),
    pause: Duration::from_secs(3600),
    max_age: Duration::from_secs(3600),
    reading: Reading { within: SOON, bytes: BYTES },
};

pub(super) fn rules() -> Rules {
    Rules::new("https://issuer.test", "shop", 30)
}

/// A server of these routes; the address of `/`.
pub(super) async fn served(routes: Router) -> Source {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("an address")).parse().expect("a URL");
    tokio::spawn(async move { axum::serve(listener, routes).await });
    Source::Url(client(Transport::plain().http().expect("a client").no_proxy()).expect("a client"), url)
}

/// The key set as this source has it, with these bounds.
async fn read(routes: Router, within: Duration, bytes: usize) -> Result<usize, String> {
    let source = served(routes).await;
    let read = tokio::time::timeout(SOON * 2, source.read(Reading { within, bytes })).await.expect("bounded");
    read.map(|keys| keys.len()).map_err(|error| format!("{error:#}"))
}

fn key_set() -> String {
    issuer().key_set().to_string()
}

#[tokio::test]
async fn a_silent_source_is_given_up() {
    let silent = || Router::new().route("/", get(async || std::future::pending::<&'static str>().await));
    let error = read(silent(), Duration::from_millis(100), BYTES).await.expect_err("silent");
    assert!(error.contains("within 100 ms"), "{error}");
    // Without the bound, nothing ends the wait.
    let source = served(silent()).await;
    let unbounded = source.read(Reading { within: Duration::MAX, bytes: BYTES });
    assert!(tokio::time::timeout(Duration::from_millis(300), unbounded).await.is_err());
}

#[tokio::test]
async fn a_source_that_trickles_is_given_up() {
    let drop = |()| async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        Some((Ok::<_, std::io::Error>(" "), ()))
    };
    let trickling = Router::new().route("/", get(async move || Body::from_stream(stream::unfold((), drop))));
    let error = read(trickling, Duration::from_millis(200), BYTES).await.expect_err("slow");
    assert!(error.contains("within 200 ms"), "{error}");
}

#[tokio::test]
async fn a_huge_key_set_is_not_read_to_its_end() {
    let huge = || {
        let set = key_set() + &" ".repeat(BYTES);
        Router::new().route("/", get(async move || set))
    };
    let error = read(huge(), SOON, BYTES).await.expect_err("huge");
    assert!(error.contains("more than 65536 bytes"), "{error}");
    assert_eq!(read(huge(), SOON, usize::MAX).await, Ok(1), "without the bound");
    let endless = || stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b' '; 8192]));
    let endless = Router::new().route("/", get(async move || Body::from_stream(endless())));
    assert!(read(endless, SOON, BYTES).await.expect_err("endless").contains("more than"));
}

#[tokio::test]
async fn garbage_is_no_key_set() {
    for garbage in ["", "<html>busy</html>", "{\"keys\":[]}", "{\"keys\":7}"] {
        let routes = Router::new().route("/", get(async move || garbage));
        assert!(read(routes, SOON, BYTES).await.is_err(), "{garbage}");
    }
    let busy = Router::new().route("/", get(async || (axum::http::StatusCode::SERVICE_UNAVAILABLE, key_set())));
    assert!(read(busy, SOON, BYTES).await.expect_err("busy").contains("503"));
    let elsewhere = async || axum::response::Redirect::temporary("/keys");
    let moved = Router::new().route("/", get(elsewhere)).route("/keys", get(async || key_set()));
    assert!(read(moved, SOON, BYTES).await.expect_err("a redirect").contains("307"));
}

#[tokio::test]
async fn where_there_are_no_keys_no_token_is_judged() {
    let source = served(Router::new().route("/", get(async || "garbage"))).await;
    let verifier = Verifier::start(source, TIMES, rules());
    let token = issuer().sign(&serde_json::json!({})).expect("signed");
    assert_eq!(verifier.verify(&token).await, Err(Refusal::KeysAway));
}

/// Tokens that name unknown keys, many at once; returns the number of requests to the source.
async fn flood(pause: Duration) -> usize {
    let (asked, set) = (Arc::new(AtomicUsize::new(0)), key_set());
    let counted = asked.clone();
    let keys = async move || {
        counted.fetch_add(1, Ordering::Relaxed);
        set
    };
    let source = served(Router::new().route("/", get(keys))).await;
    let verifier = Verifier::start(source, Times { pause, ..TIMES }, rules());
    for _ in 0..20 {
        let tokens = (0..20).map(|_| issuer().sign(&serde_json::json!({})).expect("signed"));
        for refused in futures::future::join_all(tokens.map(async |token| verifier.verify(&token).await)).await {
            assert_eq!(refused, Err(Fault::UnknownKey.into()));
        }
    }
    asked.load(Ordering::Relaxed)
}

#[tokio::test]
async fn a_flood_of_unknown_keys_does_not_reach_the_source() {
    assert_eq!(flood(TIMES.pause).await, 1);
    let without = flood(Duration::ZERO).await;
    assert!(without >= 10, "without the pause it is asked {without} times");
}

#[tokio::test]
async fn keys_count_while_their_source_is_away_but_not_for_ever() {
    for (max_age, kept) in [(TIMES.max_age, true), (Duration::ZERO, false)] {
        let (set, answers) = (key_set(), Arc::new(AtomicUsize::new(0)));
        let keys = async move || {
            let first = answers.fetch_add(1, Ordering::Relaxed) == 0;
            if first { Ok(set) } else { Err(axum::http::StatusCode::BAD_GATEWAY) }
        };
        let cache = Keys::new(served(Router::new().route("/", get(keys))).await, Times { max_age, ..TIMES });
        assert!(cache.refresh().await && !cache.refresh().await);
        assert_eq!(cache.current().is_some(), kept);
    }
}
