//! The entitlement service against a real Postgres.

use entitlement::{Ask, Command, Entitlement, MIGRATIONS};
use events::{
    Order, Reason,
    testing::{digital, order, physical},
};
use saga::{
    testing::{Conformance, TestDatabase, commit, event},
    unit_of_work::Incoming,
};

const REVOKE: Ask = Ask::Revoke(Reason::UnshippableAddress);

/// The products 1 and 2 are available, 3 no longer is.
async fn database() -> TestDatabase {
    let db = TestDatabase::create(&MIGRATIONS).await;
    db.run("insert into catalogue values (1, true), (2, true), (3, false)").await;
    db
}

fn mixed() -> Order {
    order([digital(1, 1), digital(2, 3), physical(9, 1)])
}

fn ask(order: &Order, ask: Ask) -> Incoming<Command> {
    event("test", Command::new(order.clone(), ask))
}

/// User, product, status and reason.
async fn unlocks(db: &TestDatabase, order: &Order) -> Vec<(i64, i64, String, Option<String>)> {
    sqlx::query_as(
        "select user_id, product_id, status, reason from entitlements where order_id = $1 order by product_id",
    )
    .bind(order.order_id.0)
    .fetch_all(db.pool())
    .await
    .expect("entitlements can be read")
}

/// Repetition, races, failures at each statement, compensation before and after: see [`Conformance`].
#[tokio::test]
async fn it_holds_what_every_service_holds() {
    let facts = |saga| Order { order_id: saga, ..mixed() };
    Conformance::of(|| Entitlement, database().await)
        .step("grant", move |saga| Command::new(facts(saga), Ask::Grant))
        .undo("revoke", move |saga| Command::new(facts(saga), REVOKE))
        .holds()
        .await;
}

#[tokio::test]
async fn items_are_unlocked_and_then_taken_back() {
    let (db, order) = (database().await, mixed());
    let work = db.work(Entitlement);
    let row = |product, status: &str, reason: Option<&str>| (1, product, status.to_owned(), reason.map(str::to_owned));
    commit(&work, &[ask(&order, Ask::Grant)]).await;
    assert_eq!(unlocks(&db, &order).await, [row(1, "CONFIRMED", None), row(2, "CONFIRMED", None)]);
    commit(&work, &[ask(&order, REVOKE)]).await;
    let why = Some("unshippable_address");
    assert_eq!(unlocks(&db, &order).await, [row(1, "CANCELLED", why), row(2, "CANCELLED", why)]);
    assert_eq!(db.said(order.order_id).await, ["EntitlementGranted", "EntitlementRevoked"]);
}

/// Many orders in one transaction, each with its own outcome: all its items or none.
#[tokio::test]
async fn a_batch_of_mixed_fate() {
    let db = database().await;
    let fates = [
        (vec![digital(1, 1)], "CONFIRMED", None, "EntitlementGranted"),
        (vec![digital(1, 1), digital(3, 1)], "REJECTED", Some("discontinued"), "EntitlementRejected"),
        (vec![digital(77, 1), digital(1, 1)], "REJECTED", Some("unknown_product"), "EntitlementRejected"),
    ];
    let orders: Vec<Order> = (0..201).map(|n| order(fates[n % 3].0.clone())).collect();
    let physical = order([physical(1, 1)]);
    let mut batch: Vec<_> = orders.iter().map(|order| ask(order, Ask::Grant)).collect();
    batch.push(ask(&physical, Ask::Grant));
    commit(&db.work(Entitlement), &batch).await;
    for (order, (items, status, reason, said)) in orders.iter().zip(fates.iter().cycle()) {
        let rows = unlocks(&db, order).await;
        assert_eq!(rows.len(), items.len());
        for (_, _, in_row, why) in rows {
            assert_eq!((in_row.as_str(), why.as_deref()), (*status, *reason));
        }
        assert_eq!(db.said(order.order_id).await, [*said]);
    }
    assert_eq!(unlocks(&db, &physical).await, []);
}

#[tokio::test]
async fn a_status_is_one_of_three() {
    let db = database().await;
    let sql = "insert into entitlements values (gen_random_uuid(), 1, 1, 'RESERVED')";
    let error = sqlx::query(sql).execute(db.pool()).await.expect_err(sql);
    let code = error.as_database_error().and_then(|error| error.code().map(|code| code.into_owned()));
    assert_eq!(code.as_deref(), Some("23514"), "{error}");
}
