//! The next batch reads what a batch has written.

use events::{
    Kind, OrderId, PaymentMethodId, ProductId, Reason, UserId,
    request::{OrderRequested, RequestedItem},
    testing::{digital, order, physical},
};
use order::{Command, Door, Former, Money, Orders, Placement, Settlement, Status, Turn};
use saga::{
    Service,
    testing::{TestDatabase, event, event_with_id},
    unit_of_work::{Incoming, Outcome},
};
use uuid::Uuid;

use crate::client::shop;

pub(crate) fn request(lines: &[(i64, i64)]) -> OrderRequested {
    OrderRequested {
        user_id: UserId(1),
        payment_method_id: PaymentMethodId(1),
        items: lines
            .iter()
            .map(|(product, quantity)| RequestedItem { product_id: ProductId(*product), quantity: *quantity })
            .collect(),
        order_id: None,
        idempotency_key: None,
        ship_to: Some("1 Main Street".into()),
    }
}

fn place(order_id: OrderId, request: OrderRequested) -> Incoming<Command> {
    event("OrderRequested", Command::Place(Placement { order_id, request, door: Door::Topic, former: None }))
}

async fn carry(db: &TestDatabase, batch: &[Incoming<Command>]) -> Vec<Outcome> {
    let staged = db.work(Orders::default()).stage(batch).await.expect("staged");
    staged.commit().await.expect("committed")
}

async fn purchase(db: &TestDatabase, order_id: OrderId) -> order::Purchase {
    let mut connection = db.pool().acquire().await.expect("a connection");
    let command = Command::TimeOut(order_id);
    let register = Orders::default().load(&mut connection, &[&command]).await.expect("loaded");
    register.purchases.get(&order_id).expect("the order is there").clone()
}

fn new_id() -> OrderId {
    OrderId(Uuid::now_v7())
}

#[tokio::test]
async fn a_placed_order_has_its_rows() {
    let db = shop().await;
    let id = new_id();
    let _ = carry(&db, &[place(id, request(&[(1, 2), (2, 1), (1, 1)]))]).await;
    let order: (i64, i64, String, i64, String, Option<String>) = sqlx::query_as(
        "select user_id, payment_method_id, currency, total_amount, status, reason from orders where id = $1",
    )
    .bind(id.0)
    .fetch_one(db.pool())
    .await
    .expect("the order is there");
    assert_eq!(order, (1, 1, "JPY".into(), 550, "PENDING".into(), None));
    let items: Vec<(i64, i64, i64)> = sqlx::query_as(
        "select product_id, quantity, unit_price from order_items where order_id = $1 order by product_id",
    )
    .bind(id.0)
    .fetch_all(db.pool())
    .await
    .expect("items");
    assert_eq!(items, [(1, 3, 100), (2, 1, 250)]);
}

#[tokio::test]
async fn every_state_reads_back_as_it_was_written() {
    let db = shop().await;
    let id = new_id();
    let reason = Reason::UnshippableAddress;
    let _ = carry(&db, &[place(id, request(&[(1, 1), (2, 1)]))]).await;
    let facts = purchase(&db, id).await.facts;
    assert_eq!((facts.ship_to.as_deref(), facts.is_mixed()), (Some("1 Main Street"), true));
    let refund = Settlement::Refunded { reason, amount: 350 };
    for (command, status, money) in [
        (Command::Fulfil(id, Kind::Digital, Turn::Done), Status::Pending, Money::Open),
        (Command::RequestCancel(id), Status::Cancelling, Money::Open),
        (Command::Settle(facts.clone(), refund), Status::Cancelling, Money::Settled { reason, refunded: 350 }),
        (
            Command::Fulfil(id, Kind::Physical, Turn::Refused(reason)),
            Status::Cancelling,
            Money::Settled { reason, refunded: 350 },
        ),
        (
            Command::Fulfil(id, Kind::Digital, Turn::Undone(reason)),
            Status::Cancelled,
            Money::Settled { reason, refunded: 350 },
        ),
    ] {
        let _ = carry(&db, &[event("test", command)]).await;
        let stored = purchase(&db, id).await;
        assert_eq!((stored.status, stored.money), (status, money));
        assert_eq!(stored.facts, facts);
    }
    assert_eq!(db.said(id).await, ["OrderCreated", "OrderCancelRequested", "OrderCancelled"]);
}

#[tokio::test]
async fn a_whole_saga_fits_into_one_batch() {
    let db = shop().await;
    let (bought, forbidden, nonsense) = (new_id(), order([digital(1, 1), physical(2, 1)]), new_id());
    let batch = [
        place(bought, request(&[(1, 1)])),
        event("BalanceReleased", Command::Settle(forbidden.clone(), Settlement::Released { reason: Reason::TimedOut })),
        place(nonsense, OrderRequested { ship_to: Some("nul\0".into()), ..request(&[(1, 0)]) }),
        event("EntitlementGranted", Command::Fulfil(bought, Kind::Digital, Turn::Done)),
        place(forbidden.order_id, request(&[(1, 1)])),
        place(bought, request(&[(1, 1)])),
    ];
    let _ = carry(&db, &batch).await;
    assert_eq!(db.said(bought).await, ["OrderCreated", "OrderCompleted"]);
    assert_eq!(db.said(forbidden.order_id).await, ["OrderCancelled"]);
    assert_eq!(db.said(nonsense).await, ["OrderRejected"]);
    for (id, status) in
        [(bought, Status::Completed), (forbidden.order_id, Status::Cancelled), (nonsense, Status::Rejected)]
    {
        assert_eq!(purchase(&db, id).await.status, status);
    }
}

#[tokio::test]
async fn a_duplicate_event_is_decided_upon_once() {
    let db = shop().await;
    let (id, event_id) = (new_id(), events::EventId::new());
    let again = || {
        let placement = Placement { order_id: id, request: request(&[(1, 1)]), door: Door::Topic, former: None };
        event_with_id(event_id, "OrderRequested", Command::Place(placement))
    };
    let outcomes = [carry(&db, &[again(), again()]).await, carry(&db, &[again()]).await].concat();
    assert_eq!(outcomes[1..], [Outcome::Duplicate, Outcome::Duplicate]);
    assert_eq!(db.said(id).await, ["OrderCreated"]);
}

/// Both have the position of a record that an earlier version made an order of: one is that record, read again; the other is in a
/// recreated topic.
#[tokio::test]
async fn a_record_of_before_is_its_order_and_one_of_a_later_topic_is_another() {
    let db = shop().await;
    let (first, again, another) = (new_id(), new_id(), new_id());
    let placed = |order_id, former| {
        let placement = Placement { order_id, request: request(&[(1, 1)]), door: Door::Topic, former };
        event("OrderRequested", Command::Place(placement))
    };
    carry(&db, &[placed(first, None)]).await;
    let now = chrono::Utc::now().timestamp_millis().unsigned_abs();
    let at = |requested_ms| Some(Former { order_id: first, requested_ms });
    carry(&db, &[placed(again, at(now - 5_000))]).await;
    carry(&db, &[placed(another, at(now + 3_600_000))]).await;
    assert_eq!(db.said(again).await, [""; 0]);
    assert_eq!(db.said(another).await, ["OrderCreated"]);
}

#[tokio::test]
async fn two_who_place_the_same_order_at_once_place_one() {
    let db = shop().await;
    let id = new_id();
    let work = db.work(Orders::default());
    let place = || {
        let placement = Placement { order_id: id, request: request(&[(1, 1)]), door: Door::Api, former: None };
        work.submit("test", Command::Place(placement), None)
    };
    let (a, b, c, d) = tokio::join!(place(), place(), place(), place());
    for says in [a, b, c, d] {
        assert!(says.expect("submitted").refused.is_none());
    }
    assert_eq!(db.said(id).await, ["OrderCreated"]);
}
