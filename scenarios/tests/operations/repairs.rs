//! Repairs with failures, against databases without services and a simulated gateway.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};
use transport::Transport;

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::StatusCode,
    routing::{get, post},
};
use events::OrderId;
use saga::{
    parked::desk::{self, Done, Signature, Wish},
    testing::TestDatabase,
};
use scenarios::{
    databases::Databases,
    reconcile::{self, Case, Remedy, Repairs, Scope},
    stack::Database,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::torn::Shop;

/// A gateway that holds money for three orders. It fails when asked for the first one alone, and never releases the second; while
/// it releases the third, a call of that order is parked.
#[derive(Clone)]
struct Gateway {
    databases: Databases,
    silent: Uuid,
    stubborn: Uuid,
    states: Arc<Mutex<HashMap<Uuid, &'static str>>>,
}

impl Gateway {
    async fn listen(self) -> String {
        let routes =
            Router::new().route("/v1/ledger", get(ledger)).route("/v1/payments/{id}/void", post(void)).with_state(self);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        url
    }
}

async fn ledger(
    State(gateway): State<Gateway>,
    Query(filter): Query<HashMap<String, String>>,
) -> Result<Json<Value>, StatusCode> {
    if filter.get("payment_id").is_some_and(|wanted| *wanted == gateway.silent.to_string()) {
        return Err(StatusCode::INTERNAL_SERVER_ERROR);
    }
    let states = gateway.states.lock().unwrap();
    let wanted =
        states.iter().filter(|(id, _)| filter.get("payment_id").is_none_or(|wanted| *wanted == id.to_string()));
    let entries: Vec<Value> = wanted
        .map(|(id, state)| {
            // The failing cases come first, because these are the smaller amounts.
            let amount = match *id {
                id if id == gateway.silent => 10,
                id if id == gateway.stubborn => 100,
                _ => 700,
            };
            json!({ "payment_id": id, "state": state, "amount": amount, "currency": "JPY" })
        })
        .collect();
    Ok(Json(json!({ "entries": entries })))
}

async fn void(State(gateway): State<Gateway>, Path(id): Path<Uuid>) -> StatusCode {
    if id == gateway.stubborn {
        return StatusCode::INTERNAL_SERVER_ERROR;
    }
    gateway.states.lock().unwrap().insert(id, "voided");
    let stuck = "update orders set status = 'CANCELLING', updated_at = clock_timestamp() where id = $1";
    sqlx::query(stuck).bind(id).execute(gateway.databases.of_service(Database::ORDERS)).await.unwrap();
    let parked = "insert into attempts (id, kind, order_id, idempotency_key, request, gives_up, status)
                  values (gen_random_uuid(), 'refund', $1, 'k', '{}', false, 'parked')";
    sqlx::query(parked).bind(id).execute(gateway.databases.of_service(Database::PAYMENTS)).await.unwrap();
    StatusCode::OK
}

impl Shop {
    /// An order that ended long ago, compensated everywhere, its buyer informed.
    async fn cancelled(&self, order: Uuid) {
        self.places(order, "CANCELLED", "1 hour").await;
        let old = "update orders set updated_at = now() - interval '1 hour' where id = $1";
        self.run(Database::ORDERS, old, order).await;
        let payment = "insert into payment_transactions
                           (order_id, user_id, payment_method_id, amount, currency, status, phase, facts, updated_at)
                       values ($1, 1, 1, 100, 'JPY', 'CANCELLED', 'cancelled', '{}', now() - interval '1 hour')";
        self.run(Database::PAYMENTS, payment, order).await;
        let letter = "insert into notifications (order_id, kind, recipient, subject, body, created_at)
                      values ($1, 'cancellation', 'alice', 'it is off', 'sorry', now() - interval '1 hour')";
        self.run(Database::NOTIFICATIONS, letter, order).await;
    }

    /// Every service has read everything on the broker, which other tests use too.
    async fn has_read_everything(&self) {
        for database in Database::OF_THE_SHOP {
            let read = "insert into consumer_offsets (topic, partition, next_offset)
                        select service || '.' || kind, place, 1000000000000
                        from unnest(array['order', 'account', 'payment', 'inventory', 'shipping', 'entitlement',
                                          'notification']) service,
                             unnest(array['events', 'requests']) kind, generate_series(0, 63) place
                        where $1::uuid is not null";
            self.run(database, read, Uuid::nil()).await;
        }
    }
}

fn of(cases: &[Case], order: Uuid) -> Vec<Remedy> {
    cases.iter().filter(|case| case.order == Some(OrderId(order))).map(|case| case.remedy.clone()).collect()
}

/// One charge cannot be looked at again, one cannot be released, and one order cannot be read: the others are repaired all the
/// same. And what a repair has changed about an order is among what is left, however recent.
#[tokio::test]
async fn what_cannot_be_mended_stops_nothing_else_and_what_is_left_is_said() {
    let shop = Shop::open().await;
    let [silent, stubborn, parked, unreadable] = [(); 4].map(|()| Uuid::now_v7());
    shop.has_read_everything().await;
    for order in [silent, stubborn, parked, unreadable] {
        shop.cancelled(order).await;
    }
    let spoil = "update orders set status = 'CANCELLING', facts = '{\"total\": 1e400}',
                     updated_at = now() - interval '1 hour' where id = $1";
    shop.run(Database::ORDERS, spoil, unreadable).await;
    let states = Arc::new(Mutex::new(HashMap::from([silent, stubborn, parked].map(|id| (id, "authorized")))));
    let gateway = Gateway { databases: shop.databases.clone(), silent, stubborn, states }.listen().await;
    let brokers = std::env::var("TEST_KAFKA_BROKERS").expect("TEST_KAFKA_BROKERS is set: `make test` starts a Kafka");
    let environment = shop.environment(&brokers, &gateway);
    let http = reconcile::client(&Transport::plain()).unwrap();
    let scope =
        Scope { environment: &environment, databases: &shop.databases, http: &http, patience: crate::BOUND, grace: 60 };

    let picture = scope.find().await.unwrap();
    assert_eq!(picture.cases.len(), 4, "{picture:?}");
    let outcome =
        Repairs::new(scope, scenarios::operations::audited::Audited::nowhere()).unwrap().carry_out(picture).await;
    assert_eq!(outcome.refused, None);
    let let_go = |order: Uuid| [Remedy::LetGo { payment_id: order.to_string(), operation: "void" }];
    assert_eq!((of(&outcome.done, parked), outcome.done.len()), (let_go(parked).into(), 1));
    let failed: Vec<_> = outcome.failed.iter().map(|(case, why)| (case.order, why.contains("500"))).collect();
    assert_eq!(failed, [silent, stubborn].map(|order| (Some(OrderId(order)), true)), "{outcome:?}");

    let left = &outcome.left;
    assert_eq!(left.len(), 4, "{left:?}");
    for order in [silent, stubborn] {
        assert_eq!(of(left, order), let_go(order));
    }
    for (order, why) in [(parked, "refund is parked in payments"), (unreadable, "nobody can read what was ordered")] {
        assert!(matches!(of(left, order).as_slice(), [Remedy::Person(said)] if said.contains(why)), "{left:?}");
    }
}

/// Resolved calls were no longer shown. After an upgrade, those whose payments still wait are, and they can be answered.
#[tokio::test]
async fn a_call_that_was_resolved_while_its_payment_waits_is_for_a_person_again() {
    let payments = TestDatabase::create(&payment::MIGRATIONS).await;
    let pool = payments.pool();
    let [waits, over] = [(); 2].map(|()| Uuid::now_v7());
    for (order, phase) in [
        (waits, "values ($1, 1, 1, 100, 'JPY', 'CONFIRMED', 'refunding', '{}')"),
        (over, "values ($1, 1, 1, 100, 'JPY', 'REFUNDED', 'refunded', '{}')"),
    ] {
        let payment = "insert into payment_transactions
                           (order_id, user_id, payment_method_id, amount, currency, status, phase, facts) ";
        let sql = sqlx::AssertSqlSafe(format!("{payment}{phase}"));
        sqlx::query(sql).bind(order).execute(pool).await.unwrap();
        for kind in ["capture", "refund"] {
            let call = "insert into attempts (id, kind, order_id, idempotency_key, request, gives_up, status)
                        values (gen_random_uuid(), $2, $1, $3, '{}', false, 'resolved')";
            let key = format!("{order}:{kind}");
            sqlx::query(call).bind(order).bind(kind).bind(key).execute(pool).await.unwrap();
        }
    }
    let migration = include_str!("../../../services/payment/migrations/1001_resolved_calls.sql");
    sqlx::raw_sql(migration).execute(pool).await.unwrap();
    let list = desk::list(pool).await.unwrap();
    let [work] = list.as_slice() else { panic!("{list:?}") };
    assert_eq!((work.saga_id, work.what.as_str()), (waits, "refund"));
    let signature = Signature { by: "ophelia", note: "asked the provider" };
    let done = desk::act(pool, work.id, Wish::Answer("refunded"), signature).await.unwrap();
    assert!(matches!(done, Done::Yes(_)), "{done:?}");
}
