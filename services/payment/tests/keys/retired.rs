//! Keys that are retired while rows still need them.

use payment::{
    keys::store::{self, Retired},
    sealed_details::Unopened,
};
use sealing::{KeyError, State};

use crate::shop::{Shop, card, details, id};

/// The lock taken out: rows do not refer to their keys.
const WITHOUT_REFERENCE: &str = "alter table payment_methods drop constraint payment_methods_details_key_fkey";

#[tokio::test]
async fn a_key_that_a_row_needs_cannot_be_retired() {
    let shop = Shop::open().await;
    shop.card(1, 1).await;
    shop.first_card(2, 1).await;
    shop.activate("b");
    for key in ["a", "v1"] {
        assert_eq!(shop.retire(key).await, Retired::InUse, "{key}");
    }
    shop.all_open(&shop.keys()).await;
    assert_eq!(shop.retire("b").await, Retired::Now, "no row needs it");
    assert_eq!(shop.retire("b").await, Retired::Before);
    assert_eq!(shop.retire("c").await, Retired::Unknown);
    assert!(!shop.add("b").await, "an id is never used again");
}

#[tokio::test]
async fn without_the_lock_the_old_key_goes_too_early() {
    let shop = Shop::open().await;
    shop.card(1, 1).await;
    shop.activate("b");
    shop.db.run(WITHOUT_REFERENCE).await;
    assert_eq!(shop.retire("a").await, Retired::Now);
    shop.keyring.set(&id("a"), State::Retired).expect("set");
    assert_eq!(shop.token(&shop.keys(), 1).await, Err(Unopened::Key(KeyError::Retired(id("a")))));
}

/// A replica that still has the old key as its active one, before and after the count.
#[tokio::test]
async fn a_writer_with_the_old_key_is_waited_for_or_refused() {
    let shop = Shop::open().await;
    let sealed = |method| shop.keys().seal(&card(method, 1), &details(method)).expect("sealed");
    let (before, after) = (sealed(1), sealed(2));
    let mut writer = shop.db.pool().begin().await.expect("begun");
    let insert = "insert into payment_methods (id, user_id, method_type, method_details) values (1, 1, 'card', $1)";
    sqlx::query(insert).bind(&before).execute(&mut *writer).await.expect("inserted");
    let (retired, ()) = tokio::join!(shop.retire("a"), async {
        shop.db.until_blocked().await;
        writer.commit().await.expect("committed");
    });
    assert_eq!(retired, Retired::InUse, "it sees the row of the writer that it waited for");

    shop.db.run("delete from payment_methods").await;
    assert_eq!(shop.retire("a").await, Retired::Now);
    let refused = shop.insert(card(2, 1), Some(&after)).await.expect_err("the key is retired");
    assert!(store::is_reference(&refused), "{refused}");

    shop.db.run(WITHOUT_REFERENCE).await;
    assert!(shop.insert(card(2, 1), Some(&after)).await.is_ok(), "without the lock, the row gets in");
}

/// A database without references would let a row in whose key nobody has.
#[tokio::test]
async fn a_row_under_a_key_that_nobody_registered_is_refused() {
    let shop = Shop::open().await;
    shop.keyring.add(&id("c")).expect("added");
    shop.activate("c");
    let sealed = shop.keys().seal(&card(1, 1), &details(1)).expect("sealed");
    let refused = shop.insert(card(1, 1), Some(&sealed)).await.expect_err("it is in the keyring alone");
    assert!(store::is_reference(&refused), "{refused}");
    assert!(shop.add("c").await);
    shop.insert(card(1, 1), Some(&sealed)).await.expect("inserted");
    assert_eq!(shop.rows().await, [("c".to_owned(), 1)]);
}
