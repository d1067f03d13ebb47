//! The account service against a real Postgres.

use account::{Account, Ask, Command, MIGRATIONS};
use events::{
    Currency, Order, Reason, UserId,
    testing::{digital, order},
};
use saga::{
    testing::{Conformance, TestDatabase, commit, event},
    unit_of_work::Incoming,
};

const GIVE_BACK: Ask = Ask::GiveBack(Reason::OutOfStock);

/// User 1 has 1000 JPY and 50 points, user 2 has 500 JPY.
async fn database() -> TestDatabase {
    let db = TestDatabase::create(&MIGRATIONS).await;
    db.run("insert into users values (1, 'alice'), (2, 'bob')").await;
    db.run("select deposit(1, 'JPY', 1000), deposit(1, 'PTS', 50), deposit(2, 'JPY', 500)").await;
    db
}

fn ask(order: &Order, ask: Ask) -> Incoming<Command> {
    event("test", Command::new(order.clone(), ask))
}

/// Balance, reserved part, and total of the deposits.
async fn balance(db: &TestDatabase, user: i64, currency: &str) -> (i64, i64, i64) {
    sqlx::query_as("select balance, reserved_balance, deposited from balances where user_id = $1 and currency = $2")
        .bind(user)
        .bind(currency)
        .fetch_one(db.pool())
        .await
        .expect("the user has a balance")
}

/// Amount, status and reason.
async fn reservation(db: &TestDatabase, order: &Order) -> (i64, String, Option<String>) {
    sqlx::query_as("select amount, status, reason from balance_reservations where order_id = $1")
        .bind(order.order_id.0)
        .fetch_one(db.pool())
        .await
        .expect("the order is written down")
}

/// Repetition, races, failures at each statement, compensation before and after: see [`Conformance`].
#[tokio::test]
async fn it_holds_what_every_service_holds() {
    let facts = |saga| Order { order_id: saga, ..order([digital(1, 3)]) };
    Conformance::of(|| Account, database().await)
        .step("reserve", move |saga| Command::new(facts(saga), Ask::Reserve))
        .step("debit", move |saga| Command::new(facts(saga), Ask::Debit))
        .undo("give back", move |saga| Command::new(facts(saga), GIVE_BACK))
        .resource("balances")
        .holds()
        .await;
}

/// An operator saw the money held and publishes the event that releases it; meanwhile it was debited for the order.
#[tokio::test]
async fn what_an_operator_says_counts_only_while_the_order_stands_as_the_operator_has_seen_it() {
    let (db, order) = (database().await, order([digital(1, 3)]));
    let work = db.work(Account);
    let operator = |seen: &str| Incoming { expects: Some(seen.to_owned()), ..ask(&order, GIVE_BACK) };
    commit(&work, &[ask(&order, Ask::Reserve), ask(&order, Ask::Debit)]).await;
    commit(&work, &[operator("RESERVED"), operator("-")]).await;
    assert_eq!(reservation(&db, &order).await.1, "CONFIRMED");
    assert_eq!(balance(&db, 1, "JPY").await, (700, 0, 1000));
    // In one batch too, each sees the effect of the one before it.
    commit(&work, &[operator("CONFIRMED"), operator("CONFIRMED")]).await;
    assert_eq!(reservation(&db, &order).await.1, "REFUNDED");
    assert_eq!(db.said(order.order_id).await, ["BalanceReserved", "BalanceDebited", "BalanceRefunded"]);
}

#[tokio::test]
async fn an_event_whose_balance_is_gone_is_for_a_person() {
    let (db, order) = (database().await, order([digital(1, 3)]));
    let work = db.work(Account);
    commit(&work, &[ask(&order, Ask::Reserve)]).await;
    db.run("delete from balances where user_id = 1 and currency = 'JPY'").await;
    let error = work.stage(&[ask(&order, Ask::Debit)]).await.err().expect("nothing could be debited");
    assert_eq!(error.remedy(), saga::store::Remedy::Park, "{error}");
    assert_eq!(db.said(order.order_id).await, ["BalanceReserved"]);
    // With the balance restored, it can be retried.
    db.run("insert into balances (user_id, currency, balance, reserved_balance) values (1, 'JPY', 1000, 300)").await;
    commit(&work, &[ask(&order, Ask::Debit)]).await;
    assert_eq!(balance(&db, 1, "JPY").await.0, 700);
}

/// An unknown reason from a newer inventory service is accepted and passed on.
#[tokio::test]
async fn a_reason_of_a_newer_version_is_kept_and_passed_on() {
    let (db, order) = (database().await, order([digital(1, 3)]));
    let work = db.work(Account);
    let newer: Reason = "customs_hold".parse().expect("a word");
    commit(&work, &[ask(&order, Ask::Reserve)]).await;
    commit(&work, &[ask(&order, Ask::GiveBack(newer))]).await;
    assert_eq!(balance(&db, 1, "JPY").await, (1000, 0, 1000));
    assert_eq!(reservation(&db, &order).await, (300, "CANCELLED".to_owned(), Some("customs_hold".to_owned())));
    let said: String = sqlx::query_scalar("select payload ->> 'reason' from outbox where type = 'BalanceReleased'")
        .fetch_one(db.pool())
        .await
        .expect("it is said");
    assert_eq!(said, "customs_hold");
    // The row is read again, with no further effect.
    commit(&work, &[ask(&order, Ask::GiveBack(Reason::OutOfStock))]).await;
    assert_eq!(db.said(order.order_id).await, ["BalanceReserved", "BalanceReleased"]);
}

#[tokio::test]
async fn money_is_held_then_taken_then_given_back() {
    let (db, order) = (database().await, order([digital(1, 3)]));
    let work = db.work(Account);
    for (asked, expected, status, reason) in [
        (Ask::Reserve, (1000, 300, 1000), "RESERVED", None),
        (Ask::Debit, (700, 0, 1000), "CONFIRMED", None),
        (GIVE_BACK, (1000, 0, 1000), "REFUNDED", Some("out_of_stock")),
    ] {
        commit(&work, &[ask(&order, asked)]).await;
        assert_eq!(balance(&db, 1, "JPY").await, expected, "after {asked:?}");
        assert_eq!(reservation(&db, &order).await, (300, status.to_owned(), reason.map(str::to_owned)));
    }
    assert_eq!(db.said(order.order_id).await, ["BalanceReserved", "BalanceDebited", "BalanceRefunded"]);
}

/// 200 orders of one buyer, who can pay for ten: decided in one transaction as if one by one.
#[tokio::test]
async fn a_hot_balance_in_one_batch() {
    let db = database().await;
    let orders: Vec<Order> = (0..200).map(|_| order([digital(1, 1)])).collect();
    let work = db.work(Account);
    commit(&work, &orders.iter().map(|order| ask(order, Ask::Reserve)).collect::<Vec<_>>()).await;
    assert_eq!(balance(&db, 1, "JPY").await, (1000, 1000, 1000));
    assert_eq!(db.said(orders[9].order_id).await, ["BalanceReserved"]);
    assert_eq!(db.said(orders[10].order_id).await, ["BalanceRejected"]);

    // Half of them continue, the other half is compensated, and the refused ones stay refused.
    let next = orders.iter().enumerate().map(|(n, order)| ask(order, if n % 2 == 0 { Ask::Debit } else { GIVE_BACK }));
    commit(&work, &next.collect::<Vec<_>>()).await;
    assert_eq!(balance(&db, 1, "JPY").await, (500, 0, 1000));
}

#[tokio::test]
async fn every_currency_is_a_purse_of_its_own() {
    let db = database().await;
    let points = |quantity| Order { currency: Currency::PTS, ..order([digital(1, quantity)]) };
    let (covered, not_covered) = (Order { total: 50, ..points(1) }, points(1));
    commit(&db.work(Account), &[ask(&not_covered, Ask::Reserve), ask(&covered, Ask::Reserve)]).await;
    assert_eq!(balance(&db, 1, "PTS").await, (50, 50, 50));
    assert_eq!(balance(&db, 1, "JPY").await, (1000, 0, 1000));
    assert_eq!(reservation(&db, &not_covered).await.2.as_deref(), Some("insufficient_balance"));
}

#[tokio::test]
async fn an_unknown_user_has_no_balance() {
    let (db, order) = (database().await, Order { user_id: UserId(77), ..order([digital(1, 1)]) });
    commit(&db.work(Account), &[ask(&order, Ask::Reserve)]).await;
    assert_eq!(reservation(&db, &order).await, (100, "REJECTED".to_owned(), Some("unknown_user".to_owned())));
    assert_eq!(db.said(order.order_id).await, ["BalanceRejected"]);
}

#[tokio::test]
async fn a_balance_never_becomes_less_than_nothing() {
    let db = database().await;
    for sql in [
        "update balances set balance = -1",
        "update balances set reserved_balance = -1",
        "update balances set reserved_balance = balance + 1",
        "insert into balances (user_id, currency, balance) values (2, 'PTS', -1)",
        "insert into balances (user_id, currency, balance) values (2, 'yen', 1)",
        "select deposit(1, 'JPY', -1001)",
        "insert into balance_reservations values (gen_random_uuid(), 1, 'JPY', -1, 'RESERVED')",
        "insert into balance_reservations values (gen_random_uuid(), 1, 'JPY', 1, 'UNHEARD OF')",
    ] {
        let error = sqlx::query(sql).execute(db.pool()).await.expect_err(sql);
        let code = error.as_database_error().and_then(|error| error.code().map(|code| code.into_owned()));
        assert_eq!(code.as_deref(), Some("23514"), "{sql}: {error}");
    }
}

#[tokio::test]
async fn what_was_put_in_is_remembered() {
    let db = database().await;
    db.run("select deposit(1, 'JPY', 200)").await;
    db.run("insert into balances (user_id, currency, balance) values (2, 'PTS', 5)").await;
    assert_eq!(balance(&db, 1, "JPY").await, (1200, 0, 1200));
    assert_eq!(balance(&db, 2, "PTS").await, (5, 0, 5));
}

#[tokio::test]
async fn what_was_taken_out_is_remembered() {
    let db = database().await;
    db.run("select deposit(1, 'JPY', -400)").await;
    assert_eq!(balance(&db, 1, "JPY").await, (600, 0, 600));
}
