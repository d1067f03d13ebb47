//! Continuous repairs while orders are placed: no order may be harmed.

use sqlx::PgPool;

use crate::Up;

/// Makes every order overdue as soon as it has ended, without a quiet time, so that only the repeated looks protect it.
const OVERDUE: &str = "create function overdue() returns trigger language plpgsql as $$
    begin new.deadline := now() - interval '1 hour'; return new; end $$;
    create trigger overdue before update on orders for each row
    when (new.status in ('COMPLETED', 'CANCELLED')) execute function overdue();";

pub(crate) async fn harms_nobody(up: &Up) {
    let orders = up.database("ORDERS").await;
    sqlx::raw_sql(OVERDUE).execute(&orders).await.unwrap();
    let before = count(&orders, "COMPLETED").await;
    let load = up.run(&["load", "--orders", "500", "--warm-up", "1", "--mix", "happy=40,card=60"]);
    let repairs = async {
        let mut said = Vec::new();
        for _ in 0..5 {
            said.push(up.run(&["reconcile", "--repair", "--wait", "5", "--grace", "0"]).await.1);
        }
        said
    };
    let ((audited, load), repairs) = tokio::join!(load, repairs);
    assert!(audited, "{load}");
    for said in &repairs {
        assert!(said.contains("0 repairs"), "nothing was broken, and yet:\n{said}");
    }
    assert_eq!(count(&orders, "COMPLETED").await, before + 501, "every order has gone its way");
    sqlx::raw_sql("drop trigger overdue on orders").execute(&orders).await.unwrap();
}

async fn count(orders: &PgPool, status: &str) -> i64 {
    sqlx::query_scalar("select count(*) from orders where status = $1").bind(status).fetch_one(orders).await.unwrap()
}
