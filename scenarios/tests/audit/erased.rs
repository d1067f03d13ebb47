//! An erased buyer's rows lack what named him, and the audit holds; it sees everybody else as before.

use events::UserId;
use order::Command;
use scenarios::stack::Database;
use sqlx::AssertSqlSafe;

use crate::shop::{Books, Shop};

async fn run(shop: &Shop, database: Database, sql: String) {
    sqlx::query(AssertSqlSafe(sql)).execute(shop.system.database(database)).await.unwrap();
}

fn said(books: &Books) -> String {
    books.findings().into_iter().map(|finding| finding.what + "\n").collect()
}

/// The findings after a change; it is taken back afterwards.
async fn after(shop: &Shop, database: Database, table: &str, change: &str) -> String {
    run(shop, database, format!("create table before as select * from {table}")).await;
    run(shop, database, change.to_owned()).await;
    let found = said(&shop.books().await);
    run(shop, database, format!("delete from {table}")).await;
    run(shop, database, format!("insert into {table} select * from before")).await;
    run(shop, database, "drop table before".to_owned()).await;
    found
}

#[tokio::test]
async fn an_erased_buyer_accuses_nobody_and_hides_nothing_of_others() {
    let mut shop = Shop::open().await;
    // Before: his letter may not be blank.
    let blank = "update notifications set recipient = 'erased', subject = 'erased', body = 'erased'";
    let of = |what: &str| format!("order_id = '{}'", shop.orders[what]);
    let (his, others) = (of("mixed"), of("card"));
    let letter = format!("{blank} where {his}");
    let found = after(&shop, Database::NOTIFICATIONS, "notifications", &letter).await;
    assert!(found.contains("notifications: ") && found.contains("\"erased\" instead of"), "{found}");

    for _ in 0..2 {
        let says = shop.system.order.work.submit("erase", Command::Erase(UserId(1)), None).await.unwrap();
        assert_eq!(says.events.len(), 1, "{says:?}");
        shop.system.settle().await;
    }
    let erased: i64 = sqlx::query_scalar("select count(*) from notifications where body = 'erased'")
        .fetch_one(shop.system.database(Database::NOTIFICATIONS))
        .await
        .unwrap();
    assert!(erased > 5, "{erased} letters");
    assert_eq!(said(&shop.books().await), "");

    each_change_is_found(&shop, blank, (&his, &others)).await;
    // He is no longer erased: what is missing is missed again, and so is the reason for his event.
    run(&shop, Database::ORDERS, "delete from erased_users".to_owned()).await;
    let found = said(&shop.books().await);
    assert!(found.contains("says that user 1 is erased, who is not"), "{found}");
    assert!(found.contains("ship_to \"erased\" instead of"), "{found}");
}

async fn each_change_is_found(shop: &Shop, blank: &str, (his, others): (&str, &str)) {
    for (database, table, change, complaint) in [
        (Database::NOTIFICATIONS, "notifications", format!("{blank} where {others}"), "\"erased\" instead of"),
        (Database::SHIPPING, "shipments", format!("update shipments set ship_to = 'erased' where {others}"), "ship_to"),
        (
            Database::ORDERS,
            "orders",
            format!("update orders set request_hash = null where id = '{}'", shop.orders["card"]),
            "request_hash",
        ),
        (
            Database::PAYMENTS,
            "payment_transactions",
            format!("update payment_transactions set facts = facts - 'ship_to' where {others}"),
            "ship_to",
        ),
        // What stays of the erased buyer is still what it was.
        (
            Database::NOTIFICATIONS,
            "notifications",
            format!("update notifications set kind = 'welcome' where {his}"),
            "kind",
        ),
        (
            Database::ACCOUNTS,
            "balance_reservations",
            format!("update balance_reservations set amount = 1 where {his}"),
            "amount 1 instead of",
        ),
        (
            Database::PAYMENTS,
            "payment_transactions",
            format!("update payment_transactions set facts = jsonb_set(facts, '{{total}}', '1') where {his}"),
            "total 1 instead of",
        ),
        (
            Database::SHIPPING,
            "shipments",
            format!("update shipments set tracking_no = 'PP-1' where {his}"),
            "tracking_no",
        ),
    ] {
        let found = if table == "orders" {
            let mut db = shop.system.database(database).acquire().await.unwrap();
            sqlx::query(AssertSqlSafe(change.as_str())).execute(&mut *db).await.unwrap();
            said(&shop.books().await)
        } else {
            after(shop, database, table, &change).await
        };
        assert!(found.contains(complaint), "{change}: {found}");
    }
}
