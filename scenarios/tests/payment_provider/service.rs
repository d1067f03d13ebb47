//! The service on a real database, with its worker calling a real gateway.

use std::{sync::Arc, time::Duration};

use events::{Currency, EventId, Order, Reason};
use payment::{Command, Payment, lifecycle::Step, method::MethodType};
use saga::{
    attempts::{self, RetryPolicy},
    shutdown::Shutdown,
    store::Remedy,
    testing::TestDatabase,
    unit_of_work::{Incoming, Origin, Outcome, UnitOfWork, Wake},
};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::{
    calling::{client, sealed, serve},
    orders::{ALICE, METHOD, order},
};

/// The service with Alice's only payment method.
struct System {
    database: TestDatabase,
    work: UnitOfWork<Payment>,
}

impl System {
    async fn with(method_type: MethodType, details: Option<String>) -> System {
        let database = TestDatabase::create(&payment::MIGRATIONS).await;
        sqlx::query("insert into payment_methods (id, user_id, method_type, method_details) values ($1, $2, $3, $4)")
            .bind(METHOD.0)
            .bind(ALICE.0)
            .bind(method_type.as_str())
            .bind(details)
            .execute(database.pool())
            .await
            .expect("inserted");
        let work = UnitOfWork::new(Arc::new(Payment), database.pool().clone(), Wake::default());
        System { database, work }
    }

    fn pool(&self) -> &PgPool {
        self.database.pool()
    }

    /// Processes events in one transaction.
    async fn on(&self, commands: Vec<Command>) -> Vec<Outcome> {
        let batch: Vec<_> = commands.into_iter().map(|command| event(EventId::new(), command)).collect();
        self.work.stage(&batch).await.expect("staged").commit().await.expect("committed")
    }

    /// The events about an order, in order.
    async fn said(&self, order: &Order) -> Vec<String> {
        sqlx::query_scalar("select type from outbox where aggregateid = $1 order by seq")
            .bind(order.order_id.to_string())
            .fetch_all(self.pool())
            .await
            .expect("read")
    }

    /// An order's payment as an auditor sees it.
    async fn row(&self, order: &Order) -> Value {
        sqlx::query_scalar(
            "select jsonb_build_object('status', status, 'phase', phase, 'reason', reason, 'amount', amount)
             from payment_transactions where order_id = $1",
        )
        .bind(order.order_id.0)
        .fetch_one(self.pool())
        .await
        .expect("one row")
    }

    async fn open_calls(&self) -> i64 {
        sqlx::query_scalar("select count(*) from attempts where status <> 'done'")
            .fetch_one(self.pool())
            .await
            .expect("read")
    }

    /// Lets the worker call the gateway at this address until no calls are left.
    async fn call(&self, gateway: std::net::SocketAddr) {
        let (stop, shutdown) = Shutdown::by_hand();
        let policy = RetryPolicy { delays_ms: vec![1, 1, 1], longest_ms: 1, patience: 1000 };
        let outside = Arc::new(client(gateway, 2000));
        let worker = tokio::spawn(attempts::run(self.work.clone(), outside, policy, shutdown));
        let drained = async {
            while self.open_calls().await > 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), drained).await.expect("every call is answered within 20 s");
        stop.now();
        worker.await.expect("the worker ends");
    }
}

fn event(id: EventId, command: Command) -> Incoming<Command> {
    Incoming {
        origin: Origin::Event(id),
        event_id: None,
        what: "test".into(),
        traceparent: None,
        expects: None,
        command,
    }
}

fn asked(order: &Order, step: Step) -> Command {
    Command::asked(order.clone(), step)
}

#[tokio::test]
async fn a_card_goes_through_all_its_phases() {
    let system = System::with(MethodType::Card, Some(sealed("tok_visa"))).await;
    let gateway = serve(json!({})).await;
    let order = order(100, Currency::JPY);

    system.on(vec![asked(&order, Step::Authorize)]).await;
    let pending = json!({"status": "PENDING", "phase": "authorizing", "reason": null, "amount": 100});
    assert_eq!(system.row(&order).await, pending);
    system.call(gateway).await;
    assert_eq!(system.row(&order).await["status"], "RESERVED");
    system.on(vec![asked(&order, Step::Capture)]).await;
    system.call(gateway).await;
    assert_eq!(system.row(&order).await["status"], "CONFIRMED");
    system.on(vec![asked(&order, Step::Cancel(Reason::UnshippableAddress))]).await;
    system.call(gateway).await;

    let refunded = json!({"status": "REFUNDED", "phase": "refunded", "reason": "unshippable_address", "amount": 100});
    assert_eq!(system.row(&order).await, refunded);
    assert_eq!(system.said(&order).await, ["PaymentAuthorized", "PaymentCaptured", "PaymentRefunded"]);
}

#[tokio::test]
async fn the_bomb_ends_as_gateway_unavailable_and_leaves_nothing() {
    let system = System::with(MethodType::Card, Some(sealed("tok_visa"))).await;
    let order = order(9999, Currency::JPY);
    system.on(vec![asked(&order, Step::Authorize)]).await;
    system.call(serve(json!({})).await).await;
    assert_eq!(system.said(&order).await, ["PaymentDeclined"]);
    let row = system.row(&order).await;
    assert_eq!((&row["status"], &row["reason"]), (&json!("REJECTED"), &json!("gateway_unavailable")));
    let calls: Vec<(String, i32)> = sqlx::query_as("select kind, tries from attempts order by created_at")
        .fetch_all(system.pool())
        .await
        .expect("read");
    assert_eq!(calls, [("authorize".to_owned(), 4), ("void".to_owned(), 1)]);
}

#[tokio::test]
async fn an_unreliable_gateway_charges_each_order_once() {
    let system = System::with(MethodType::Card, Some(sealed("tok_visa"))).await;
    let gateway = serve(json!({"failure_rate": 0.3})).await;
    let orders: Vec<Order> = (0..5).map(|_| order(100, Currency::JPY)).collect();
    for step in [Step::Authorize, Step::Capture, Step::Cancel(Reason::CancelledByUser)] {
        system.on(orders.iter().map(|order| asked(order, step)).collect()).await;
        system.call(gateway).await;
    }
    for order in &orders {
        let said = system.said(order).await;
        let expected: &[&str] = match said.first().map(String::as_str) {
            // All four attempts failed.
            Some("PaymentDeclined") => &["PaymentDeclined"],
            _ => &["PaymentAuthorized", "PaymentCaptured", "PaymentRefunded"],
        };
        assert_eq!(said, expected);
    }
}

#[tokio::test]
async fn a_whole_life_in_one_batch_is_one_row() {
    let system = System::with(MethodType::Wallet, None).await;
    let (paid, cancelled) = (order(100, Currency::JPY), order(50, Currency::PTS));
    let cancel = Step::Cancel(Reason::TimedOut);
    system
        .on(vec![
            asked(&paid, Step::Authorize),
            asked(&cancelled, cancel),
            asked(&paid, Step::Capture),
            asked(&cancelled, Step::Authorize),
        ])
        .await;
    assert_eq!(system.said(&paid).await, ["PaymentAuthorized", "PaymentCaptured"]);
    assert_eq!(system.row(&paid).await["status"], "CONFIRMED");
    assert_eq!(system.said(&cancelled).await, ["PaymentVoided"]);
    let forbidden = json!({"status": "CANCELLED", "phase": "cancelled", "reason": "timed_out", "amount": 50});
    assert_eq!(system.row(&cancelled).await, forbidden);
}

#[tokio::test]
async fn a_noted_cancel_is_remembered_across_batches() {
    let system = System::with(MethodType::Card, Some(sealed("tok_visa"))).await;
    let gateway = serve(json!({})).await;
    let order = order(100, Currency::JPY);
    system.on(vec![asked(&order, Step::Authorize)]).await;
    system.call(gateway).await;
    system.on(vec![asked(&order, Step::Capture)]).await;
    system.on(vec![asked(&order, Step::Cancel(Reason::CancelledByUser))]).await;
    system.call(gateway).await;
    assert_eq!(system.said(&order).await, ["PaymentAuthorized", "PaymentRefunded"]);
    assert_eq!(system.row(&order).await["reason"], "cancelled_by_user");
}

#[tokio::test]
async fn the_same_event_twice_counts_once() {
    let system = System::with(MethodType::Wallet, None).await;
    let (id, order) = (EventId::new(), order(100, Currency::JPY));
    for expected_duplicate in [false, true] {
        let batch = [event(id, asked(&order, Step::Authorize))];
        let outcomes = system.work.stage(&batch).await.expect("staged").commit().await.expect("committed");
        assert_eq!(outcomes == [Outcome::Duplicate], expected_duplicate);
    }
    assert_eq!(system.said(&order).await, ["PaymentAuthorized"]);
}

#[tokio::test]
async fn an_amount_is_never_negative() {
    let system = System::with(MethodType::Wallet, None).await;
    let batch = [event(EventId::new(), asked(&order(-1, Currency::JPY), Step::Authorize))];
    let error = system.work.stage(&batch).await.err().expect("refused by the database");
    assert_eq!(error.remedy(), Remedy::Park, "{error}");
}
