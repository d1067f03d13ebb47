//! Orders past their deadline are found and timed out, once.

use std::time::Duration;

use kit::timer::Timer;
use order::{Command, Door, Orders, Overdue, Placement};

use crate::{client::shop, store::request};

#[tokio::test]
async fn an_overdue_order_is_timed_out_once_and_a_younger_one_is_not() {
    let db = shop().await;
    let place = |orders: Orders| {
        let work = db.work(orders);
        async move {
            let request = request(&[(1, 1)]);
            let order_id = events::OrderId(uuid::Uuid::now_v7());
            let command = Command::Place(Placement { order_id, request, door: Door::Topic });
            let _ = work.submit("test", command, None).await.expect("placed");
            order_id
        }
    };
    let overdue = place(Orders { timeout: Duration::ZERO }).await;
    let young = place(Orders::default()).await;
    let mut timer = Timer::new(db.work(Orders::default()), Overdue);
    assert_eq!(timer.step().await.expect("looked"), 1);
    assert_eq!(timer.step().await.expect("looked"), 0);
    assert_eq!(db.said(overdue).await, ["OrderCreated", "OrderTimedOut"]);
    assert_eq!(db.said(young).await, ["OrderCreated"]);
}
