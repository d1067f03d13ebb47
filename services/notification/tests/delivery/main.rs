//! The whole path on a real Postgres: an order ends, the worker makes the attempt, the mail is delivered, and `NotificationSent`
//! is in the outbox.

mod files;
mod mail_system;
mod smtp;

use std::{sync::Arc, time::Duration};
use transport::Transport;

use events::Order;
use notification::{
    Command, Ending, MIGRATIONS, Notification,
    post::{Post, PostConfig},
};
use saga::{
    attempts::{self, RetryPolicy},
    shutdown::{Shutdown, Stop},
    testing::{TestDatabase, event},
    unit_of_work::UnitOfWork,
};
use tokio::task::JoinHandle;

/// The service with its worker, without Kafka.
struct Service {
    db: TestDatabase,
    work: UnitOfWork<Notification>,
    stop: Stop,
    worker: JoinHandle<()>,
}

impl Service {
    async fn start(post: PostConfig) -> Self {
        let db = TestDatabase::create(&MIGRATIONS).await;
        let work = db.work(Notification::default());
        let (stop, shutdown) = Shutdown::by_hand();
        let post = Arc::new(Post::new(post, &Transport::plain()).expect("mail can be sent"));
        let policy = RetryPolicy { delays_ms: vec![10], longest_ms: 50, patience: 1000 };
        let worker = tokio::spawn(attempts::run(work.clone(), post, policy, shutdown));
        Service { db, work, stop, worker }
    }

    async fn end(&self, order: &Order, ending: Ending) {
        let ended = [event("the end", Command::tell(order.clone(), ending))];
        self.work.stage(&ended).await.expect("staged").commit().await.expect("committed");
    }

    /// Waits until the attempt of this order is `status`; returns the number of tries and the last error.
    async fn attempt(&self, order: &Order, status: &str) -> (i32, Option<String>) {
        let ended = || async {
            sqlx::query_as("select tries, last_error from attempts where order_id = $1 and status = $2")
                .bind(order.order_id.0)
                .bind(status)
                .fetch_optional(self.db.pool())
                .await
                .expect("attempts can be read")
        };
        eventually(&format!("the attempt to be {status}"), ended).await
    }

    /// The data of all events about this order.
    async fn said(&self, order: &Order) -> Vec<serde_json::Value> {
        sqlx::query_scalar("select payload from outbox where aggregateid = $1 order by seq")
            .bind(order.order_id.to_string())
            .fetch_all(self.db.pool())
            .await
            .expect("the outbox can be read")
    }

    async fn stop(self) {
        self.stop.now();
        self.worker.await.expect("the worker ends by itself");
    }
}

/// Timeout for anything that a test waits for.
const BOUND: Duration = Duration::from_secs(20);

/// Polls until there is an answer.
async fn eventually<T>(what: &str, ask: impl AsyncFn() -> Option<T>) -> T {
    saga::testing::eventually(BOUND, what, ask).await
}
