//! On a real Postgres: what is left of an erased user.

use events::{
    Order, UserId, erasure,
    testing::{digital, order, physical},
};
use notification::{Command, Ending, MIGRATIONS, Mail, Notification};
use saga::testing::{TestDatabase, commit, event};
use serde::Deserialize;
use serde_json::Value;

async fn texts(db: &TestDatabase, sql: &'static str) -> Vec<String> {
    sqlx::query_scalar(sql).fetch_all(db.pool()).await.expect("texts")
}

/// Everything that could name somebody, in one text.
async fn everything(db: &TestDatabase) -> String {
    let all = "select concat((select jsonb_agg(n) from notifications n), (select jsonb_agg(a) from attempts a),
        (select jsonb_agg(c) from contacts c), (select jsonb_agg(f) from former_contacts f))";
    texts(db, all).await.concat()
}

#[tokio::test]
async fn addresses_and_letters_go_and_that_there_were_letters_stays() {
    let db = TestDatabase::create(&MIGRATIONS).await;
    db.run("insert into contacts values (1, 'old@canary.test'), (2, 'bob@canary.test')").await;
    db.run("update contacts set address = 'new@canary.test' where user_id = 1").await;
    let work = db.work(Notification::default());
    let parcel = Order { ship_to: Some("1 Canary Road".to_owned()), ..order([physical(1, 1)]) };
    let unsent = Order { ship_to: None, ..order([digital(1, 1)]) };
    let bobs = Order { user_id: UserId(2), ..order([digital(1, 1)]) };
    for order in [&parcel, &unsent, &bobs] {
        commit(&work, &[event("OrderCompleted", Command::tell(order.clone(), Ending::Completed))]).await;
    }
    sqlx::query("update attempts set status = 'done' where order_id <> $1")
        .bind(unsent.order_id.0)
        .execute(db.pool())
        .await
        .expect("sent");
    let before = everything(&db).await;
    assert!(before.contains("Canary Road") && before.contains("new@canary.test") && before.contains("old@canary.test"));
    let scrub = || {
        event("UserErased", Command::Scrub(erasure::of_user(UserId(1), &[parcel.order_id, unsent.order_id]).remove(0)))
    };
    for _ in 0..2 {
        commit(&work, &[scrub()]).await;
    }
    let after = everything(&db).await;
    assert!(!after.contains("Canary Road") && !after.contains("new@") && !after.contains("old@"), "{after}");
    assert_eq!(
        texts(&db, "select recipient from notifications order by recipient").await,
        ["bob@canary.test", "erased", "erased"]
    );
    assert_eq!(texts(&db, "select kind from notifications group by kind").await, ["receipt"]);

    // A mail that was still to be sent is not sent: it is answered as if a person had settled it, and can be noted.
    let open: (Value, Option<String>) = sqlx::query_as("select request, answer from attempts where status = 'open'")
        .fetch_one(db.pool())
        .await
        .expect("one");
    let mail = Mail::deserialize(&open.0).expect("still a mail");
    assert_eq!((mail.recipient.as_str(), open.1.as_deref()), ("erased", Some("sent")));
    commit(&work, &[event("mail", Command::NoteSent { order: mail.order })]).await;
    assert_eq!(db.said(unsent.order_id).await, ["NotificationSent"]);
}
