//! Rotation: everything under the new key, whatever happens meanwhile.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use events::PaymentMethodId;
use payment::{
    keys::{
        rotation::{Rotated, Rotation, Step},
        store::Retired,
    },
    method::MethodType,
    sealed_details::{Keys, Place, Unopened},
};

use crate::shop::{Shop, card, details};

async fn rotate(shop: &Shop, batch: i64) -> Rotated {
    let (sessions, keys) = (shop.sessions(), shop.keys());
    Rotation::new(&sessions, &keys, batch).run(Duration::ZERO).await.expect("rotated")
}

fn all(renewed: u64) -> Rotated {
    Rotated { renewed, unreadable: Vec::new(), left: 0 }
}

/// Five cards of each format.
async fn both_formats() -> Shop {
    let shop = Shop::open().await;
    for method in 1..=5 {
        shop.first_card(method, method).await;
        shop.card(10 + method, method).await;
    }
    shop.activate("b");
    shop
}

#[tokio::test]
async fn all_rows_come_under_the_active_key_and_a_second_run_finds_nothing() {
    let shop = both_formats().await;
    let wallet = Place { method_type: MethodType::Wallet, ..card(100, 1) };
    shop.insert(wallet, None).await.expect("inserted");
    assert_eq!(rotate(&shop, 3).await, all(10));
    assert_eq!(shop.rows().await, [("b".to_owned(), 10)]);
    shop.all_open(&shop.keys()).await;
    assert_eq!(rotate(&shop, 3).await, all(0));
    for key in ["a", "v1"] {
        assert_eq!(shop.retire(key).await, Retired::Now, "{key}");
    }
    shop.all_open(&Keys::of(shop.keyring.clone())).await;
}

#[tokio::test]
async fn the_values_of_the_second_format_are_not_touched() {
    let shop = Shop::open().await;
    shop.card(1, 1).await;
    let value = async || -> String {
        let value = sqlx::query_scalar("select split_part(method_details, ':', 4) from payment_methods");
        value.fetch_one(shop.db.pool()).await.expect("read")
    };
    let before = value().await;
    shop.activate("b");
    assert_eq!(rotate(&shop, 3).await, all(1));
    assert_eq!(value().await, before);
}

/// The work so far is kept, row by row, and both keys are needed until it is done.
#[tokio::test]
async fn an_interrupted_rotation_loses_nothing_and_goes_on() {
    let shop = both_formats().await;
    let (sessions, keys) = (shop.sessions(), shop.keys());
    let mut interrupted = Rotation::new(&sessions, &keys, 3);
    assert_eq!(interrupted.step().await.expect("a batch"), Step::Renewed(3));
    drop(interrupted);
    let before = shop.rows().await;
    assert_eq!(before, [("a".to_owned(), 5), ("b".to_owned(), 3), ("v1".to_owned(), 2)]);
    // A batch that does not come to its commit.
    {
        let mut cut_off = Rotation::new(&sessions, &keys, 100);
        let mut step = std::pin::pin!(cut_off.step());
        let blocker = "lock table payment_methods in share mode";
        let mut other = shop.db.pool().begin().await.expect("begun");
        sqlx::query(blocker).execute(&mut *other).await.expect("locked");
        tokio::select! {
            _ = &mut step => panic!("it cannot write"),
            () = shop.db.until_blocked() => {}
        }
    }
    shop.all_open(&keys).await;
    assert_eq!(shop.rows().await, before);
    assert_eq!(rotate(&shop, 3).await, all(7));
    shop.all_open(&keys).await;
}

#[tokio::test]
async fn a_row_that_cannot_be_opened_is_named_and_holds_up_no_other() {
    let shop = both_formats().await;
    shop.insert(card(7, 1), Some("a letter to a friend")).await.expect("inserted");
    shop.db.run("update payment_methods set user_id = 9 where id = 13").await;
    let rotated = rotate(&shop, 3).await;
    let unreadable = vec![(PaymentMethodId(7), Unopened::NotSealed), (PaymentMethodId(13), Unopened::Forged)];
    assert_eq!(rotated, Rotated { renewed: 9, unreadable, left: 0 });
    assert_eq!(shop.retire("a").await, Retired::InUse, "the exchanged row still needs it");
}

#[tokio::test]
async fn a_row_that_is_locked_is_left_for_the_next_round() {
    let shop = both_formats().await;
    let mut other = shop.db.pool().begin().await.expect("begun");
    sqlx::query("select from payment_methods where id = 3 for update").execute(&mut *other).await.expect("locked");
    let (sessions, keys) = (shop.sessions(), shop.keys());
    let mut rotation = Rotation::new(&sessions, &keys, 100);
    assert_eq!(rotation.step().await.expect("a batch"), Step::Renewed(9));
    other.rollback().await.expect("released");
    assert_eq!(rotate(&shop, 100).await, all(1));
}

/// Cards are added, by replicas with the new key and with the old one, and opened all the time.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_notices_a_rotation() {
    let shop = Shop::open().await;
    for method in 1..=200 {
        match method % 2 {
            0 => shop.card(method, 1).await,
            _ => shop.first_card(method, 1).await,
        }
    }
    let done = AtomicBool::new(false);
    let writes = async {
        for method in 1001..=1040 {
            let place = card(method, 2);
            let late = shop.keys().seal(&place, &details(method)).expect("sealed");
            tokio::task::yield_now().await;
            shop.insert(place, Some(&late)).await.expect("inserted");
        }
    };
    let reads = async {
        let mut method = 0;
        while !done.load(Ordering::Relaxed) {
            method = method % 200 + 1;
            assert_eq!(shop.token(&shop.keys(), method).await.as_deref(), Ok(format!("tok_{method}").as_str()));
        }
    };
    let rotates = async {
        shop.activate("b");
        let rotated = rotate(&shop, 7).await;
        done.store(true, Ordering::Relaxed);
        rotated
    };
    let ((), (), rotated) = tokio::join!(writes, reads, rotates);
    assert!(rotated.renewed >= 200 && rotated.unreadable.is_empty(), "{rotated:?}");
    rotate(&shop, 7).await;
    assert_eq!(shop.rows().await, [("b".to_owned(), 240)]);
    shop.all_open(&Keys::of(shop.keyring.clone())).await;
}
