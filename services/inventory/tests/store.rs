//! The inventory service against a real Postgres.

use events::{
    Order, Reason,
    testing::{order, physical},
};
use inventory::{Ask, Command, Inventory, MIGRATIONS};
use saga::{
    testing::{Conformance, TestDatabase, commit, event},
    unit_of_work::Incoming,
};

const TAKE_BACK: Ask = Ask::TakeBack(Reason::UnshippableAddress);

/// Ten pieces of the products 1 and 2.
async fn database() -> TestDatabase {
    let db = TestDatabase::create(&MIGRATIONS).await;
    db.run("select restock(1, 10), restock(2, 10)").await;
    db
}

fn ask(order: &Order, ask: Ask) -> Incoming<Command> {
    event("test", Command::new(order.clone(), ask))
}

/// Quantity, reserved part, and total received.
async fn stock(db: &TestDatabase, product: i64) -> (i64, i64, i64) {
    sqlx::query_as("select stock_quantity, reserved_quantity, received from stock where product_id = $1")
        .bind(product)
        .fetch_one(db.pool())
        .await
        .expect("the product is in stock")
}

async fn reservation(db: &TestDatabase, order: &Order) -> Vec<(i64, i64, String, Option<String>)> {
    sqlx::query_as(
        "select product_id, quantity, status, reason from stock_reservations where order_id = $1 order by product_id",
    )
    .bind(order.order_id.0)
    .fetch_all(db.pool())
    .await
    .expect("reservations can be read")
}

/// Repetition, races, failures at each statement, compensation before and after: see [`Conformance`].
#[tokio::test]
async fn it_holds_what_every_service_holds() {
    let facts = |saga| Order { order_id: saga, ..order([physical(1, 3), physical(2, 4)]) };
    Conformance::of(|| Inventory, database().await)
        .step("reserve", move |saga| Command::new(facts(saga), Ask::Reserve))
        .step("commit", move |saga| Command::new(facts(saga), Ask::Commit))
        .step("withdraw", move |saga| Command::new(facts(saga), Ask::Withdraw(Reason::TimedOut)))
        .undo("take back", move |saga| Command::new(facts(saga), TAKE_BACK))
        .resource("stock")
        .holds()
        .await;
}

#[tokio::test]
async fn stock_is_held_then_taken_then_given_back() {
    let (db, order) = (database().await, order([physical(1, 3), physical(2, 4)]));
    let work = db.work(Inventory);
    for (asked, first, second, status) in [
        (Ask::Reserve, (10, 3, 10), (10, 4, 10), "RESERVED"),
        (Ask::Commit, (7, 0, 10), (6, 0, 10), "CONFIRMED"),
        (Ask::Withdraw(Reason::TimedOut), (7, 0, 10), (6, 0, 10), "CONFIRMED"),
        (TAKE_BACK, (10, 0, 10), (10, 0, 10), "REFUNDED"),
    ] {
        commit(&work, &[ask(&order, asked)]).await;
        assert_eq!((stock(&db, 1).await, stock(&db, 2).await), (first, second), "after {asked:?}");
        let rows = reservation(&db, &order).await;
        assert_eq!(rows.len(), 2);
        assert!(rows.iter().all(|(_, _, in_row, _)| in_row == status), "after {asked:?}: {rows:?}");
    }
    assert_eq!(db.said(order.order_id).await, ["StockReserved", "StockCommitted", "StockReleased"]);
}

#[tokio::test]
async fn all_items_or_none() {
    let (db, order) = (database().await, order([physical(1, 1), physical(2, 11), physical(3, 1)]));
    commit(&db.work(Inventory), &[ask(&order, Ask::Reserve)]).await;
    assert_eq!((stock(&db, 1).await, stock(&db, 2).await), ((10, 0, 10), (10, 0, 10)));
    let refused = |product, quantity| (product, quantity, "REJECTED".to_owned(), Some("out_of_stock".to_owned()));
    assert_eq!(reservation(&db, &order).await, [refused(1, 1), refused(2, 11), refused(3, 1)]);
    assert_eq!(db.said(order.order_id).await, ["StockRejected"]);
}

/// 200 orders for one product, of which there is enough for 150: decided in one transaction as if one by one.
#[tokio::test]
async fn a_hot_product_in_one_batch() {
    let db = database().await;
    db.run("select restock(1, 140)").await;
    let orders: Vec<Order> = (0..200).map(|_| order([physical(1, 1)])).collect();
    let reserve: Vec<_> = orders.iter().map(|order| ask(order, Ask::Reserve)).collect();
    let work = db.work(Inventory);
    commit(&work, &reserve).await;
    assert_eq!(stock(&db, 1).await, (150, 150, 150));
    assert_eq!(db.said(orders[149].order_id).await, ["StockReserved"]);
    assert_eq!(db.said(orders[150].order_id).await, ["StockRejected"]);

    // Half of them continue, the other half is compensated, and the refused ones stay refused.
    let next = orders.iter().enumerate().map(|(n, order)| ask(order, if n % 2 == 0 { Ask::Commit } else { TAKE_BACK }));
    commit(&work, &next.collect::<Vec<_>>()).await;
    assert_eq!(stock(&db, 1).await, (75, 0, 150));
}

/// Rows are locked in key order, whatever the order of the events.
#[tokio::test]
async fn two_batches_never_wait_for_each_other() {
    let db = database().await;
    let (work, other) = (db.work(Inventory), db.work(Inventory));
    for _ in 0..20 {
        let one = [ask(&order([physical(1, 1), physical(2, 1)]), Ask::Reserve)];
        let two = [ask(&order([physical(2, 1), physical(1, 1)]), Ask::Reserve)];
        tokio::join!(commit(&work, &one), commit(&other, &two));
    }
    assert_eq!((stock(&db, 1).await, stock(&db, 2).await), ((10, 10, 10), (10, 10, 10)));
}

#[tokio::test]
async fn stock_never_becomes_less_than_nothing() {
    let db = database().await;
    for sql in [
        "update stock set stock_quantity = -1",
        "update stock set reserved_quantity = -1",
        "update stock set reserved_quantity = stock_quantity + 1",
        "insert into stock (product_id, stock_quantity) values (3, -1)",
        "select restock(1, -11)",
        "insert into stock_reservations values (gen_random_uuid(), 1, 0, 'RESERVED')",
        "insert into stock_reservations values (gen_random_uuid(), 1, 1, 'UNHEARD OF')",
    ] {
        let error = sqlx::query(sql).execute(db.pool()).await.expect_err(sql);
        let code = error.as_database_error().and_then(|error| error.code().map(|code| code.into_owned()));
        assert_eq!(code.as_deref(), Some("23514"), "{sql}: {error}");
    }
}

#[tokio::test]
async fn what_was_put_in_is_remembered() {
    let db = database().await;
    db.run("select restock(1, -4)").await;
    db.run("insert into stock (product_id, stock_quantity) values (3, 5)").await;
    db.run("select restock(3, 2)").await;
    assert_eq!(stock(&db, 1).await, (6, 0, 6));
    assert_eq!(stock(&db, 3).await, (7, 0, 7));
}
