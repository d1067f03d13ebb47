//! Faults that an audit of statuses alone would miss, one by one.

use events::{EventId, Order, OrderId, envelope::Envelope, publisher::source_of};
use notification::{
    Ending, Wording,
    letter::{Letter, write_in},
};
use scenarios::stack::Database;
use sqlx::AssertSqlSafe;

use crate::{
    shop::{Books, Shop},
    system,
};

async fn change(shop: &Shop, database: Database, sql: String) -> Books {
    sqlx::query(AssertSqlSafe(sql)).execute(shop.system.database(database)).await.unwrap();
    shop.books().await
}

/// The audit's findings about one order.
fn said(books: &Books, shop: &Shop, what: &str) -> String {
    let order = shop.orders[what];
    let findings = books.findings().into_iter().filter(|finding| finding.order == Some(order));
    findings.map(|finding| finding.what).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn what_statuses_do_not_tell_is_found_and_what_has_changed_since_accuses_nobody() {
    let mut shop = Shop::open().await;
    facts_count_and_not_what_the_catalogue_says_today(&shop).await;
    letters_are_judged_by_the_wording_that_they_were_written_in(&shop).await;
    what_lies_on_kafka_is_what_the_outboxes_have(&mut shop).await;
    what_services_know_of_one_order_agrees_in_every_word(&shop).await;
}

async fn what_services_know_of_one_order_agrees_in_every_word(shop: &Shop) {
    let id = |what: &str| shop.orders[what];
    for (what, database, sql, complaint) in [
        (
            "five by wallet",
            Database::ACCOUNTS,
            format!(
                "update balance_reservations set user_id = 2, amount = 1 where order_id = '{}'",
                id("five by wallet")
            ),
            "amount 1 instead of 500",
        ),
        (
            "five by wallet",
            Database::INVENTORY,
            format!("update stock_reservations set quantity = 1 where order_id = '{}'", id("five by wallet")),
            "quantity 1 instead of 5",
        ),
        (
            "points",
            Database::ENTITLEMENTS,
            format!("update entitlements set user_id = 2 where order_id = '{}'", id("points")),
            "user_id 2 instead of 1",
        ),
        (
            "card",
            Database::SHIPPING,
            format!("update shipments set ship_to = 'elsewhere' where order_id = '{}'", id("card")),
            "ship_to \"elsewhere\" instead of",
        ),
        (
            "nowhere",
            Database::ORDERS,
            format!("update orders set reason = 'out_of_stock', refunded = 1 where id = '{}'", id("nowhere")),
            "refunded 1 instead of 400",
        ),
        (
            "card",
            Database::NOTIFICATIONS,
            format!("update notifications set recipient = 'eve@example.org' where order_id = '{}'", id("card")),
            "recipient \"eve@example.org\" instead of",
        ),
    ] {
        let books = change(shop, database, sql).await;
        assert!(said(&books, shop, what).contains(complaint), "{what}: {}", said(&books, shop, what));
    }
}

/// Letters written by an earlier version are no finding; letters that no version writes are.
async fn letters_are_judged_by_the_wording_that_they_were_written_in(shop: &Shop) {
    let order = shop.orders["five by wallet"];
    let orders = shop.system.database(Database::ORDERS);
    let facts = sqlx::query_scalar("select facts from orders where id = $1").bind(order.0).fetch_one(orders).await;
    let facts: Order = serde_json::from_value(facts.unwrap()).unwrap();
    let [first, now] = [Wording::FIRST, Wording::NOW].map(|wording| write_in(wording, &facts, Ending::Completed));
    let garbled = Letter { body: first.body.replace("purchase", "patience"), ..first.clone() };
    for (letter, is_wrong) in [(first, false), (garbled, true), (now, false)] {
        let update = sqlx::query("update notifications set subject = $2, body = $3 where order_id = $1");
        let update = update.bind(order.0).bind(&letter.subject).bind(&letter.body);
        update.execute(shop.system.database(Database::NOTIFICATIONS)).await.unwrap();
        let said = said(&shop.books().await, shop, "five by wallet");
        assert_eq!(said.contains("body"), is_wrong, "{}\n{said}", letter.body);
    }
}

async fn facts_count_and_not_what_the_catalogue_says_today(shop: &Shop) {
    shop.system
        .run(
            Database::ORDERS,
            "update products set price = price * 2, kind = 'digital'; delete from products where id = 4",
        )
        .await;
    shop.system.run(Database::PAYMENTS, "delete from payment_methods").await;
    shop.system.run(Database::ENTITLEMENTS, "update catalogue set available = not available").await;
    shop.system.run(Database::SHIPPING, "insert into no_service values ('chiyoda')").await;
    shop.system.run(Database::NOTIFICATIONS, "update contacts set address = 'bob@elsewhere.example'").await;
    assert_eq!(shop.books().await.findings(), [], "orders of before are as they were");

    // A deleted card does not hide a captured charge.
    let order = shop.orders["nowhere"];
    let mut bookings = shop.system.bookings();
    bookings.retain(|booking| booking.payment_id != order.to_string() || booking.state != "refunded");
    let mut books = shop.books().await;
    books.read_bookings(&bookings);
    assert!(said(&books, shop, "nowhere").contains("REFUNDED, but captured to the gateway"));
}

async fn what_lies_on_kafka_is_what_the_outboxes_have(shop: &mut Shop) {
    unreadable(shop);
    assert_eq!(shop.books().await.findings(), [], "what nobody can read, nobody has said");

    // A forged event says that a completed order was cancelled.
    let order = shop.orders["card"];
    let completed = shop.system.log.iter().rfind(|record| {
        let header = |name: &str| record.headers.iter().find(|(other, _)| other == name).map(|(_, value)| &value[..]);
        header("ce_type") == Some(b"OrderCompleted") && header("ce_subject") == Some(order.to_string().as_bytes())
    });
    let value = String::from_utf8(completed.unwrap().value.clone().unwrap()).unwrap();
    let mut data: serde_json::Value = serde_json::from_str(&value).unwrap();
    data["reason"] = "timed_out".into();
    data["refunded"] = 600.into();
    let envelope = of_order_service(order, "OrderCancelled");
    shop.system.publish(system::record("order.events", &order.to_string(), &envelope, &data.to_string()));
    let forged = said(&shop.books().await, shop, "card");
    assert!(forged.contains("order has never said it: forged"), "{forged}");
    assert!(forged.contains("OrderCompleted and OrderCancelled are both on Kafka"), "{forged}");

    // Two events of one order in the wrong order. Rows dropped by retention are not forgeries.
    let order = shop.orders["five by wallet"].to_string();
    swap_of_account(shop, &order);
    let swapped = said(&shop.books().await, shop, "five by wallet");
    assert!(swapped.contains("BalanceDebited lies before BalanceReserved on Kafka"), "{swapped}");
    swap_of_account(shop, &order);

    // As the upkeep does it, one day at a time.
    let retention = "do $$ begin execute 'drop table ' || (select min(inhrelid::regclass::text) from pg_inherits
                                      where inhparent = 'outbox'::regclass and inhrelid::regclass::text ~ '[0-9]$'); end $$";
    let books = change(shop, Database::ACCOUNTS, retention.to_owned()).await;
    let about = books.findings().into_iter().filter(|finding| finding.order != Some(shop.orders["card"]));
    assert_eq!(about.collect::<Vec<_>>(), [], "what retention has deleted was there");
}

/// Publishes an unreadable record as an event of the order service, about an order that does not exist.
fn unreadable(shop: &mut Shop) {
    let order = OrderId(uuid::Uuid::now_v7());
    let envelope = of_order_service(order, "OrderCreated");
    let record = system::record("order.events", &order.to_string(), &envelope, r#"{"order": "unreadable"}"#);
    shop.system.publish(record.clone());
    shop.system.publish(saga::record::Record { value: None, ..record });
}

fn of_order_service(order: OrderId, event_type: &str) -> Envelope {
    Envelope {
        id: EventId::new(),
        event_type: event_type.to_owned(),
        version: 1,
        source: source_of("order"),
        subject: Some(order.to_string()),
        time: Some(chrono::Utc::now()),
        causation_id: None,
        traceparent: None,
    }
}

/// Swaps the two events that the account service published about an order.
fn swap_of_account(shop: &mut Shop, order: &str) {
    let of_account = |record: &&mut saga::record::Record| {
        record.topic == "account.events" && record.key.as_deref() == Some(order.as_bytes())
    };
    let mut said: Vec<_> = shop.system.log.iter_mut().filter(of_account).collect();
    let [first, second] = &mut said[..] else { panic!("a reservation and a debit") };
    std::mem::swap(&mut first.offset, &mut second.offset);
}
