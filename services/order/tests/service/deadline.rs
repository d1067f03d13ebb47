//! Orders past their deadline are found and timed out, once.

use std::time::Duration;

use order::{Command, Door, Orders, Overdue, Placement};
use saga::Timer;

use crate::{client::shop, store::request};

#[tokio::test]
async fn an_overdue_order_is_timed_out_once_and_a_younger_one_is_not() {
    let db = shop().await;
    let place = |orders: Orders| {
        let work = db.work(orders);
        async move {
            let request = request(&[(1, 1)]);
            let order_id = events::OrderId(uuid::Uuid::now_v7());
            let command = Command::Place(Placement { order_id, request, door: Door::Topic, former: None });
            let _ = work.submit("test", command, None).await.expect("placed");
            order_id
        }
    };
    let overdue = place(Orders { timeout: Duration::ZERO, ..Orders::default() }).await;
    let young = place(Orders::default()).await;
    let mut timer = Timer::new(db.work(Orders::default()), Overdue);
    assert_eq!(timer.step().await.expect("looked"), 1);
    assert_eq!(timer.step().await.expect("looked"), 0);
    assert_eq!(db.said(overdue).await, ["OrderCreated", "OrderTimedOut"]);
    assert_eq!(db.said(young).await, ["OrderCreated"]);
}

#[tokio::test]
async fn an_order_that_nobody_can_read_does_not_keep_others_from_being_timed_out() {
    let db = shop().await;
    let work = db.work(Orders { timeout: Duration::ZERO, ..Orders::default() });
    let mut orders = Vec::new();
    for _ in 0..3 {
        let order_id = events::OrderId(uuid::Uuid::now_v7());
        let command =
            Command::Place(Placement { order_id, request: request(&[(1, 1)]), door: Door::Topic, former: None });
        let _ = work.submit("test", command, None).await.expect("placed");
        orders.push(order_id);
    }
    // The first overdue order.
    sqlx::query("update orders set facts = '{}' where id = $1")
        .bind(orders[0].0)
        .execute(db.pool())
        .await
        .expect("done");
    let mut timer = Timer::new(work, Overdue);
    assert_eq!(timer.step().await.expect("looked"), 2);
    for order in &orders[1..] {
        assert_eq!(db.said(*order).await, ["OrderCreated", "OrderTimedOut"]);
    }
    assert_eq!(db.said(orders[0]).await, ["OrderCreated"]);
}
