//! The shipping service against a real Postgres.

use events::{
    Order, Reason,
    testing::{digital, order, physical},
};
use saga::{
    testing::{Conformance, TestDatabase, commit, event},
    unit_of_work::Incoming,
};
use shipping::{Ask, Command, MIGRATIONS, Shipping, tracking_no};

const CANCEL: Ask = Ask::Cancel(Reason::Discontinued);

fn mixed(ship_to: &str) -> Order {
    Order { ship_to: Some(ship_to.to_owned()), ..order([physical(1, 1), digital(2, 1)]) }
}

fn ask(order: &Order, ask: Ask) -> Incoming<Command> {
    event("test", Command::new(order.clone(), ask))
}

/// Address, status, tracking number and reason.
async fn shipment(
    db: &TestDatabase,
    order: &Order,
) -> Option<(Option<String>, String, Option<String>, Option<String>)> {
    sqlx::query_as("select ship_to, status, tracking_no, reason from shipments where order_id = $1")
        .bind(order.order_id.0)
        .fetch_optional(db.pool())
        .await
        .expect("shipments can be read")
}

/// Repetition, races, failures at each statement, compensation before and after: see [`Conformance`].
#[tokio::test]
async fn it_holds_what_every_service_holds() {
    let facts = |saga| Order { order_id: saga, ..mixed("Kyoto") };
    Conformance::of(Shipping::default, TestDatabase::create(&MIGRATIONS).await)
        .step("arrange", move |saga| Command::new(facts(saga), Ask::Arrange))
        .undo("cancel", move |saga| Command::new(facts(saga), CANCEL))
        .holds()
        .await;
}

#[tokio::test]
async fn a_parcel_is_booked_and_then_cancelled() {
    let (db, order) = (TestDatabase::create(&MIGRATIONS).await, mixed("Kyoto"));
    let work = db.work(Shipping::default());
    let address = Some("Kyoto".to_owned());
    let number = Some(tracking_no(order.order_id));
    commit(&work, &[ask(&order, Ask::Arrange)]).await;
    assert_eq!(shipment(&db, &order).await, Some((address.clone(), "CONFIRMED".into(), number.clone(), None)));
    commit(&work, &[ask(&order, CANCEL)]).await;
    assert_eq!(shipment(&db, &order).await, Some((address, "CANCELLED".into(), number, Some("discontinued".into()))));
    assert_eq!(db.said(order.order_id).await, ["ShipmentArranged", "ShipmentCancelled"]);
}

/// Two parcels never share a number, whatever a later version derives it from.
#[tokio::test]
async fn the_database_takes_no_tracking_number_twice() {
    let db = TestDatabase::create(&MIGRATIONS).await;
    let book = "insert into shipments (order_id, ship_to, status, tracking_no)
                values (gen_random_uuid(), 'Kyoto', 'CONFIRMED', $1)";
    let number = tracking_no(mixed("Kyoto").order_id);
    let twice = async |number: &str| {
        sqlx::query(book).bind(number).execute(db.pool()).await.expect("the first");
        sqlx::query(book).bind(number).execute(db.pool()).await.is_ok()
    };
    assert!(!twice(&number).await);
    assert!(twice("PP-9C57-1C0F-D1A5").await, "those of earlier versions stay as they are");
}

/// Many orders in one transaction, each with its own outcome; the places without delivery are those of the migration.
#[tokio::test]
async fn a_batch_of_mixed_fate() {
    let db = TestDatabase::create(&MIGRATIONS).await;
    let orders: Vec<Order> =
        (0..200).map(|n| mixed(["Kyoto", "Nowhere 1", "The Streets of ATLANTIS", " "][n % 4])).collect();
    let digital = order([digital(1, 1)]);
    let mut batch: Vec<_> = orders.iter().map(|order| ask(order, Ask::Arrange)).collect();
    batch.push(ask(&digital, Ask::Arrange));
    commit(&db.work(Shipping::default()), &batch).await;
    for order in &orders {
        let (status, said) = match order.ship_to.as_deref() {
            Some("Kyoto") => ("CONFIRMED", "ShipmentArranged"),
            _ => ("REJECTED", "ShipmentRejected"),
        };
        assert_eq!(shipment(&db, order).await.map(|row| row.1).as_deref(), Some(status), "{:?}", order.ship_to);
        assert_eq!(db.said(order.order_id).await, [said], "{:?}", order.ship_to);
    }
    assert_eq!(shipment(&db, &digital).await, None);
}

#[tokio::test]
async fn the_tables_take_no_nonsense() {
    let db = TestDatabase::create(&MIGRATIONS).await;
    for sql in [
        "insert into shipments (order_id, status) values (gen_random_uuid(), 'RESERVED')",
        "insert into shipments (order_id, status) values (gen_random_uuid(), 'CONFIRMED')",
        "insert into no_service values ('')",
        "insert into no_service values ('Elsewhere')",
    ] {
        let error = sqlx::query(sql).execute(db.pool()).await.expect_err(sql);
        let code = error.as_database_error().and_then(|error| error.code().map(|code| code.into_owned()));
        assert_eq!(code.as_deref(), Some("23514"), "{sql}: {error}");
    }
}
