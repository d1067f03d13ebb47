//! Keys that are made, shared, erased and wrapped anew.

use std::{net::TcpListener, sync::Arc, time::Duration};

use personal_data::{Keeper, Rewrapped, Unsealed, Vault};

use crate::support::Keys;

const TEXT: &str = "10 Downing Street";

#[tokio::test]
async fn everybody_opens_what_one_has_sealed_and_nobody_once_it_is_erased() {
    let keys = Keys::create().await;
    let sealed = keys.keeping().keys_for(&[7]).await.unwrap().seal(7, "p", TEXT).unwrap();
    let reader = keys.reading();
    assert_eq!(reader.keys_of(&[7]).await.unwrap().open(7, "p", &sealed).as_deref(), Ok(TEXT));
    assert!(keys.keeper_as("e").erase(7).await.unwrap());
    assert!(!keys.keeper_as("e").erase(7).await.unwrap(), "erased already");
    for vault in [reader, keys.keeping()] {
        let held = vault.keys_of(&[7]).await.unwrap();
        assert!(held.is_erased(7));
        assert_eq!(held.open(7, "p", &sealed), Err(Unsealed::Erased));
    }
    // No new key, whoever asks for one, and whether or not there ever was one.
    assert!(keys.keeper_as("e").erase(8).await.unwrap());
    let held = keys.keeping().keys_for(&[7, 8, 9]).await.unwrap();
    assert!(held.is_erased(7) && held.is_erased(8) && !held.is_erased(9));
    assert_eq!(held.seal(7, "p", TEXT), Err(Unsealed::Erased));
    let left: i64 = sqlx::query_scalar("select count(*) from personal.keys where wrapped is not null")
        .fetch_one(&keys.superuser)
        .await
        .unwrap();
    assert_eq!(left, 1, "9 alone has a key");
    keys.drop().await;
}

#[tokio::test]
async fn all_who_ask_at_once_get_the_same_key() {
    let keys = Keys::create().await;
    let asking = (0..20).map(|_| {
        let vault = keys.keeping();
        tokio::spawn(async move { vault.keys_for(&[3, 1, 2, 3]).await.unwrap().seal(1, "p", TEXT).unwrap() })
    });
    let mut sealed = Vec::new();
    for one in asking {
        sealed.push(one.await.unwrap());
    }
    sealed.dedup();
    assert_eq!(sealed.len(), 1);
    keys.drop().await;
}

#[tokio::test]
async fn a_key_that_was_moved_to_another_person_or_changed_opens_nothing() {
    let keys = Keys::create().await;
    keys.keeping().keys_for(&[1, 2]).await.unwrap();
    keys.sql("update personal.keys k set wrapped = o.wrapped from personal.keys o where k.person = 1 and o.person = 2")
        .await;
    let held = keys.reading().keys_of(&[1, 2]).await.unwrap();
    assert_eq!(held.seal(1, "p", TEXT), Err(Unsealed::Unusable));
    held.seal(2, "p", TEXT).expect("the other's is as it was");
    keys.sql("update personal.keys set wrapped = 'v2:first:AAAA:AAAA' where person = 2").await;
    let held = keys.reading().keys_of(&[2]).await.unwrap();
    let error = held.usable().unwrap_err();
    assert!(error.person == 2 && error.why.contains("tampered"), "{error}");
    keys.drop().await;
}

/// One person's key that cannot be used takes no other's away, and no new one is made in its place.
#[tokio::test]
async fn a_key_that_cannot_be_used_keeps_nobody_else_waiting() {
    let keys = Keys::create().await;
    keys.keeping().keys_for(&[1]).await.unwrap();
    for wrapped in ["nonsense", "v2:unknown:AAAA:AAAA", "v2:first:AAAA:AAAA"] {
        keys.sql(&format!("update personal.keys set wrapped = '{wrapped}' where person = 1")).await;
        let held = keys.keeping().keys_for(&[1, 2]).await.unwrap();
        held.seal(2, "p", TEXT).expect("the other's");
        assert_eq!(held.usable().unwrap_err().person, 1, "{wrapped}");
    }
    keys.drop().await;
}

/// More of them than are read at a time.
#[tokio::test]
async fn keys_that_cannot_be_used_are_left_and_named_when_the_others_are_wrapped_anew() {
    let keys = Keys::create().await;
    let persons: Vec<i64> = (1..=250).collect();
    keys.keeping().keys_for(&persons).await.unwrap();
    keys.sql("update personal.keys set wrapped = 'v2:first:AAAA:AAAA' where person <= 120").await;
    keys.renew("second");
    let keeper = keys.keeper_as("e");
    let rewrapping = tokio::time::timeout(Duration::from_secs(30), keeper.rewrap());
    let done = rewrapping.await.expect("it ends").unwrap();
    assert_eq!((done.count, done.unusable.len()), (130, 120));
    assert_eq!(done.unusable[0].person, 1);
    keys.drop().await;
}

#[tokio::test]
async fn keys_are_wrapped_anew_and_the_former_key_can_go() {
    let keys = Keys::create().await;
    let persons: Vec<i64> = (1..=250).collect();
    let sealed = keys.keeping().keys_for(&persons).await.unwrap().seal(5, "p", TEXT).unwrap();
    keys.keeper_as("e").erase(9).await.unwrap();
    keys.renew("second");
    assert_eq!(keys.keeper_as("e").rewrap().await.unwrap(), Rewrapped { count: 249, unusable: vec![] });
    assert_eq!(keys.keeper_as("e").rewrap().await.unwrap(), Rewrapped::default());
    let kept = std::fs::read_to_string(keys.keyring_path()).unwrap();
    let kept: String = kept.lines().filter(|line| line.starts_with("second ")).collect();
    std::fs::write(keys.keyring_path(), kept).unwrap();
    assert_eq!(keys.reading().keys_of(&[5]).await.unwrap().open(5, "p", &sealed).as_deref(), Ok(TEXT));
    keys.drop().await;
}

/// The twin: a key of the keyring that goes too early takes the persons' keys with it, and says so.
#[tokio::test]
async fn without_its_key_of_the_keyring_nothing_opens() {
    let keys = Keys::create().await;
    keys.keeping().keys_for(&[1]).await.unwrap();
    keys.renew("second");
    let kept = std::fs::read_to_string(keys.keyring_path()).unwrap();
    let kept: String = kept.lines().filter(|line| line.starts_with("second ")).collect();
    std::fs::write(keys.keyring_path(), kept).unwrap();
    let held = keys.reading().keys_of(&[1]).await.unwrap();
    let error = held.usable().unwrap_err();
    assert!(error.why.contains("`first` is not in the keyring"), "{error}");
    keys.drop().await;
}

/// A question that was put and is looked at no more holds up nobody who asks after it.
#[tokio::test]
async fn a_question_that_nobody_looks_after_is_waited_for_with_a_bound() {
    let silent = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let keys = Keys::create().await;
    let options = keys.options("r").host("127.0.0.1").port(silent.local_addr().unwrap().port());
    let vault = Vault::from(Keeper::new(options, Arc::new(keys.keyring())));
    let mut first = std::pin::pin!(vault.keys_of(&[1]));
    assert!(futures::poll!(first.as_mut()).is_pending());
    let answer = tokio::time::timeout(Duration::from_secs(30), vault.keys_of(&[2])).await;
    answer.expect("bounded").expect_err("no answer");
    keys.drop().await;
}

/// A server that accepts and says nothing does not hold anybody up for longer than the bound.
#[tokio::test]
async fn a_silent_server_is_given_up() {
    let silent = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = silent.local_addr().unwrap().port();
    let keys = Keys::create().await;
    let options = keys.options("r").host("127.0.0.1").port(port);
    let vault = Vault::from(Keeper::new(options, Arc::new(keys.keyring())));
    let answer = tokio::time::timeout(Duration::from_secs(30), vault.keys_of(&[1])).await;
    answer.expect("bounded").expect_err("no answer");
    keys.drop().await;
}
