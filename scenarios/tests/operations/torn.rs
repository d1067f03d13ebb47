//! A look at databases that change while it is taken.

use std::collections::BTreeMap;

use events::OrderId;
use saga::testing::TestDatabase;
use scenarios::{
    databases::Databases,
    reconcile::{Look, Seen, Which},
    stack::{Database, Environment},
};
use sqlx::types::Json;
use uuid::Uuid;

/// All databases, without services.
pub(crate) struct Shop {
    pub(crate) databases: Databases,
    tests: BTreeMap<Database, TestDatabase>,
}

impl Shop {
    pub(crate) async fn open() -> Shop {
        let mut tests = BTreeMap::new();
        for database in Database::OF_THE_SHOP {
            let migrations = match database {
                Database::ORDERS => &order::MIGRATIONS,
                Database::ACCOUNTS => &account::MIGRATIONS,
                Database::PAYMENTS => &payment::MIGRATIONS,
                Database::INVENTORY => &inventory::MIGRATIONS,
                Database::SHIPPING => &shipping::MIGRATIONS,
                Database::ENTITLEMENTS => &entitlement::MIGRATIONS,
                _ => &notification::MIGRATIONS,
            };
            tests.insert(database, TestDatabase::create(migrations).await);
        }
        let environment = environment(&tests, "nowhere:1", "http://nowhere:1");
        Shop { databases: Databases::of(&environment).unwrap(), tests }
    }

    /// The environment with this broker and this gateway.
    pub(crate) fn environment(&self, brokers: &str, gateway: &str) -> Environment {
        environment(&self.tests, brokers, gateway)
    }

    pub(crate) async fn run(&self, database: Database, sql: &'static str, order: Uuid) {
        sqlx::query(sql).bind(order).execute(self.tests[&database].pool()).await.unwrap();
    }

    pub(crate) async fn places(&self, order: Uuid, status: &'static str, overdue: &'static str) {
        let insert = "insert into orders (id, user_id, payment_method_id, currency, total_amount, status, deadline, facts, unlock)
                      values ($1, 1, 1, 'JPY', 100, $2, now() - $3::interval, $4, 'open')";
        let facts = serde_json::json!({"order_id": order, "user_id": 1, "payment_method_id": 1, "currency": "JPY",
            "total": 100, "items": [{"product_id": 1, "quantity": 1, "unit_price": 100, "kind": "digital"}]});
        let query = sqlx::query(insert).bind(order).bind(status).bind(overdue).bind(Json(facts));
        query.execute(self.tests[&Database::ORDERS].pool()).await.unwrap();
    }

    async fn holds(&self, order: Uuid) {
        let hold = "insert into balance_reservations (order_id, user_id, currency, amount, status)
                    values ($1, 1, 'JPY', 100, 'RESERVED')";
        self.run(Database::ACCOUNTS, hold, order).await;
    }

    async fn look(&self, order: Uuid) -> Seen {
        let mut look = Look::at(&self.databases, Which::These(&[order])).await.unwrap();
        look.orders.remove(&OrderId(order)).unwrap_or_default()
    }
}

fn environment(tests: &BTreeMap<Database, TestDatabase>, brokers: &str, gateway: &str) -> Environment {
    let variable = |name: &str| match name {
        "KAFKA_BROKERS" => Some(brokers.to_owned()),
        "GATEWAY_URL" => Some(gateway.to_owned()),
        name => tests.iter().find(|(database, _)| database.variable() == name).map(|(_, test)| test.url()),
    };
    Environment::from_variables(variable).unwrap().expect("all are named")
}

/// The order service's database is slow to answer; meanwhile an order is placed and its money held. The order exists when it is
/// read.
#[tokio::test]
async fn an_order_that_is_placed_during_a_look_is_not_taken_for_one_that_is_not_there() {
    let shop = Shop::open().await;
    let pool = shop.tests[&Database::ORDERS].pool();
    let mut slow = pool.begin().await.unwrap();
    sqlx::query("lock table orders in access exclusive mode").execute(&mut *slow).await.unwrap();
    let order = Uuid::now_v7();
    let looking = tokio::spawn({
        let databases = shop.databases.clone();
        async move { Look::at(&databases, Which::ALL).await.unwrap() }
    });
    // All the others have been read by then.
    shop.tests[&Database::ORDERS].until_blocked().await;
    shop.holds(order).await;
    slow.commit().await.unwrap();
    let look = looking.await.unwrap();
    let unknown = look.orders.values().find(|seen| seen.standing.order.is_none());
    assert!(unknown.is_none(), "the order service was asked last: {unknown:?}");

    // In the opposite order, the money would seem to be held for an unknown order.
    let seen = shop.look(order).await;
    assert!(seen.standing.doubt(60).is_some_and(|what| what.contains("no such order")));
    shop.places(order, "PENDING", "-1 minute").await;
    assert_eq!(shop.look(order).await.standing.doubt(60), None);
}

/// Whatever happens to an order between two looks, they differ, even if its status is the same again.
#[tokio::test]
async fn two_looks_agree_only_if_nothing_has_happened_in_between() {
    let shop = Shop::open().await;
    let order = Uuid::now_v7();
    shop.places(order, "CANCELLING", "1 hour").await;
    shop.holds(order).await;
    let first = shop.look(order).await;
    assert!(first.standing.doubt(60).is_some_and(|what| what.contains("is CANCELLING")));
    assert!(first.is_unchanged(&shop.look(order).await));
    assert_eq!(first.expectation().split(',').nth(1), Some("account=RESERVED"));

    let touch = "update balance_reservations set updated_at = clock_timestamp() where order_id = $1";
    shop.run(Database::ACCOUNTS, touch, order).await;
    let second = shop.look(order).await;
    assert!(!first.is_unchanged(&second));
    let pay = "insert into payment_transactions (order_id, user_id, payment_method_id, amount, currency, status, phase, facts)
               values ($1, 1, 1, 100, 'JPY', 'RESERVED', 'voiding', '{}')";
    shop.run(Database::PAYMENTS, pay, order).await;
    let third = shop.look(order).await;
    assert!(!second.is_unchanged(&third));

    // A call is open: no event is published about an order that waits for an answer.
    let call = "insert into attempts (id, kind, order_id, idempotency_key, request, gives_up)
                values (gen_random_uuid(), 'void', $1, 'k', '{}', false)";
    shop.run(Database::PAYMENTS, call, order).await;
    let fourth = shop.look(order).await;
    assert!(fourth.obstacle.is_some() && !third.is_unchanged(&fourth));
}
