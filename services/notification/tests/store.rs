//! On a real Postgres: the rows that a batch leaves.

use chrono::{DateTime, Utc};
use events::{
    Currency, Order, OrderId, Reason,
    testing::{digital, order},
};
use notification::{Command, Ending, MIGRATIONS, Notification};
use saga::testing::{TestDatabase, event, event_with_id};

const CANCELLED: Ending = Ending::Cancelled { reason: Reason::Discontinued, refunded: 50 };

async fn notification(db: &TestDatabase, order: OrderId) -> (String, String, Option<DateTime<Utc>>) {
    sqlx::query_as("select kind, recipient, sent_at from notifications where order_id = $1")
        .bind(order.0)
        .fetch_one(db.pool())
        .await
        .expect("the order has a notification")
}

async fn count(db: &TestDatabase, rows: &'static str) -> i64 {
    sqlx::query_scalar(rows).fetch_one(db.pool()).await.expect("can be counted")
}

#[tokio::test]
async fn a_batch_of_endings_becomes_a_letter_and_an_attempt_each() {
    let db = TestDatabase::create(&MIGRATIONS).await;
    db.run("insert into contacts values (1, 'alice@wonderland.example')").await;
    let bought = order([digital(1, 1)]);
    let unlocked = Order { currency: Currency::PTS, user_id: events::UserId(2), ..order([digital(500, 1)]) };
    let refused = order([digital(404, 1)]);

    let work = db.work(Notification::default());
    let batch = [
        event("OrderCompleted", Command::tell(bought.clone(), Ending::Completed)),
        event("OrderCompleted", Command::tell(unlocked.clone(), Ending::Completed)),
        event("OrderRejected", Command::tell(refused.clone(), Ending::Rejected { reason: Reason::UnknownProduct })),
        // Ends that arrive too late: the letters are already written.
        event("OrderCancelled", Command::tell(bought.clone(), CANCELLED)),
    ];
    work.stage(&batch).await.expect("staged").commit().await.expect("committed");

    let alice = "alice@wonderland.example".to_owned();
    assert_eq!(notification(&db, bought.order_id).await, ("receipt".to_owned(), alice.clone(), None));
    assert_eq!(notification(&db, refused.order_id).await, ("rejection".to_owned(), alice, None));
    let nobody = "user-2@example.test".to_owned();
    assert_eq!(notification(&db, unlocked.order_id).await, ("welcome".to_owned(), nobody, None));
    assert_eq!(count(&db, "select count(*) from attempts where kind = 'mail' and not gives_up").await, 3);
    assert_eq!(count(&db, "select count(*) from outbox").await, 0);
}

#[tokio::test]
async fn a_second_ending_writes_nothing_whether_it_is_the_same_event_or_another() {
    let db = TestDatabase::create(&MIGRATIONS).await;
    let work = db.work(Notification::default());
    let order = order([digital(1, 1)]);
    let id = events::EventId::new();
    for ending in [
        event_with_id(id, "OrderCancelled", Command::tell(order.clone(), CANCELLED)),
        event_with_id(id, "OrderCancelled", Command::tell(order.clone(), CANCELLED)),
        event("OrderCompleted", Command::tell(order.clone(), Ending::Completed)),
    ] {
        work.stage(&[ending]).await.expect("staged").commit().await.expect("committed");
    }
    assert_eq!(notification(&db, order.order_id).await.0, "cancellation");
    assert_eq!(count(&db, "select count(*) from notifications").await, 1);
    assert_eq!(count(&db, "select count(*) from attempts").await, 1);
}

#[tokio::test]
async fn the_sending_is_noted_and_said_once() {
    let db = TestDatabase::create(&MIGRATIONS).await;
    let work = db.work(Notification::default());
    let order = order([digital(1, 1)]);
    let sent = || Command::NoteSent { order: order.clone() };

    let early = work.submit("mail", sent(), None).await.expect("decided");
    assert!(early.ignored.is_some(), "nothing was written yet");
    work.submit("end", Command::tell(order.clone(), Ending::Completed), None).await.map(drop).expect("written");
    for _ in 0..2 {
        work.submit("mail", sent(), None).await.map(drop).expect("decided");
    }
    assert_eq!(db.said(order.order_id).await, ["NotificationSent"]);
    assert!(notification(&db, order.order_id).await.2.is_some());
}
