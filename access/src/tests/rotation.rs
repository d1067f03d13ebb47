//! Keys that the issuer withdraws and adds.

use std::sync::{Arc, Mutex};

use axum::{Router, routing::get};
use serde_json::{Value, json};

use super::{
    endpoint::{SOON, TIMES, rules, served},
    misuse::issuer,
};
use crate::{
    Fault, Grant, Issuer, Refusal, Verifier,
    keys::{Keys, Times},
    source::Source,
};

fn token(issuer: &Issuer) -> String {
    let grant = Grant { issuer: "https://issuer.test", audience: "shop", subject: "1", scopes: &[], ttl: SOON };
    issuer.grant(&grant).expect("signed")
}

/// A verifier that reads only when it is told to.
fn by_hand(source: Source, times: Times) -> Verifier {
    Verifier { keys: Keys::new(source, times), rules: Arc::new(rules()) }
}

#[tokio::test]
async fn a_token_of_a_key_that_was_rotated_away_is_refused() {
    let (old, new) = (issuer(), issuer());
    let set: Arc<Mutex<Value>> = Arc::new(Mutex::new(old.key_set()));
    let published = set.clone();
    let keys = async move || published.lock().expect("a lock").to_string();
    let verifier = by_hand(served(Router::new().route("/", get(keys))).await, TIMES);
    assert!(verifier.keys.refresh().await);
    assert!(verifier.verify(&token(&old)).await.is_ok());
    *set.lock().expect("a lock") = new.key_set();
    // Without the next read the old key counts on: that is what the refresh is for.
    assert!(verifier.verify(&token(&old)).await.is_ok());
    assert!(verifier.keys.refresh().await);
    assert_eq!(verifier.verify(&token(&old)).await, Err(Fault::UnknownKey.into()));
    assert!(verifier.verify(&token(&new)).await.is_ok());
}

#[tokio::test]
async fn a_new_key_is_met_by_reading_again_at_once() {
    let (old, new) = (issuer(), issuer());
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("keys.json");
    std::fs::write(&file, old.key_set().to_string()).expect("written");
    let verifier =
        Verifier::start(Source::File(file.clone()), Times { pause: std::time::Duration::ZERO, ..TIMES }, rules());
    assert!(verifier.verify(&token(&old)).await.is_ok());
    assert_eq!(verifier.verify(&token(&new)).await, Err(Fault::UnknownKey.into()));
    let both = json!({"keys": [old.key_set()["keys"][0], new.key_set()["keys"][0]]});
    std::fs::write(&file, both.to_string()).expect("written");
    assert!(verifier.verify(&token(&new)).await.is_ok());
    assert!(verifier.verify(&token(&old)).await.is_ok());
}

/// Milliseconds since 1970, this many seconds from now.
fn from_now(seconds: i64) -> u64 {
    crate::keys::now_ms().saturating_add_signed(seconds * 1000)
}

#[tokio::test]
async fn a_message_is_judged_as_of_the_time_at_which_it_was_sent() {
    let (old, new) = (issuer(), issuer());
    let set: Arc<Mutex<Value>> = Arc::new(Mutex::new(old.key_set()));
    let published = set.clone();
    let keys = async move || published.lock().expect("a lock").to_string();
    let times = Times { pause: std::time::Duration::from_secs(10), ..TIMES };
    let verifier = by_hand(served(Router::new().route("/", get(keys))).await, times);
    let message = |token: &str| format!("Bearer {token}").into_bytes();
    // Without keys it waits, and is no fault of the message.
    assert_eq!(verifier.verify_as_of(&message(&token(&old)), from_now(0), u64::MAX), Err(Refusal::KeysAway));
    assert!(verifier.keys.refresh().await);
    let sent = message(&token(&old));
    let early = verifier.verify_as_of(&sent, from_now(0), u64::MAX).map(|caller| caller.subject);
    assert_eq!(early, Ok("1".to_owned()));
    // Sent after its expiry, it is refused; that it is read after its expiry does not matter.
    assert_eq!(verifier.verify_as_of(&sent, from_now(120), u64::MAX), Err(Fault::Expired.into()));
    // A key that is not known yet may be newer than the keys; once they are read again, it is a fault.
    let forged = message(&token(&new));
    assert_eq!(verifier.verify_as_of(&forged, from_now(11), u64::MAX), Err(Refusal::KeysAway));
    // Right after they were read, an unknown key holds nobody up.
    assert_eq!(verifier.verify_as_of(&forged, from_now(1), u64::MAX), Err(Fault::UnknownKey.into()));
    // Said to be sent later, by a clock that is ahead, but seen before.
    assert_eq!(verifier.verify_as_of(&forged, from_now(11), from_now(1)), Err(Fault::UnknownKey.into()));
    assert_eq!(verifier.verify_as_of(&forged, from_now(-100), u64::MAX), Err(Fault::UnknownKey.into()));
    // Withdrawn, a key counts for what was sent before, and for nothing after.
    let before = from_now(-1);
    *set.lock().expect("a lock") = new.key_set();
    assert!(verifier.keys.refresh().await);
    assert_eq!(verifier.verify_as_of(&sent, before, u64::MAX).map(|caller| caller.subject), Ok("1".to_owned()));
    assert!(verifier.verify_as_of(&sent, from_now(1), u64::MAX).is_err());
}
