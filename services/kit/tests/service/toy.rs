//! A service that counts: the least that has rows, refusals, calls and bugs.

use chrono::{DateTime, Utc};
use events::{
    Order, OrderId, Publisher,
    account::{BalanceDebited, BalanceReserved},
    order::{OrderCancelRequested, OrderCompleted, OrderCreated, OrderRejected},
};
use kit::{NewAttempt, Rows, Says, Service, StoreError, Table, says, store::all_inserted, testing::TestDatabase};
use serde_json::json;
use sqlx::{PgConnection, migrate::Migrator};
use uuid::Uuid;

/// The kit's tables are all that a migration has to make.
pub(crate) static MIGRATIONS: Migrator = Migrator::DEFAULT;

/// A database with the counter's table. No count is above a thousand.
pub(crate) async fn database() -> TestDatabase {
    let db = TestDatabase::create(&MIGRATIONS).await;
    db.run("create table counts (order_id uuid primary key, count bigint not null check (count <= 1000))").await;
    db
}

pub(crate) async fn count(db: &TestDatabase, order: OrderId) -> Option<i64> {
    sqlx::query_scalar("select count from counts where order_id = $1")
        .bind(order.0)
        .fetch_optional(db.pool())
        .await
        .expect("counts can be read")
}

/// Number of rows in a table.
pub(crate) async fn rows(db: &TestDatabase, table: &str) -> i64 {
    let sql = sqlx::AssertSqlSafe(format!("select count(*) from {table}"));
    sqlx::query_scalar(sql).fetch_one(db.pool()).await.expect("rows can be counted")
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Command {
    pub(crate) order: Order,
    pub(crate) ask: Ask,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ask {
    /// Count the order's total.
    Count,
    /// A bug.
    Panic,
    /// An event that cannot be meant.
    Refuse,
    /// A call to the outside, that may be given up or not.
    Call { gives_up: bool },
    /// It was answered.
    Answered,
    /// It was given up.
    GaveUp,
}

impl Command {
    pub(crate) fn new(order: Order, ask: Ask) -> Self {
        Command { order, ask }
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Counter;

impl Service for Counter {
    type Command = Command;
    type Rows = Rows<OrderId, i64>;

    const NAME: &'static str = "counter";

    fn table() -> Table<Command> {
        Table::of(Publisher::Account)
            .on("count", says![BalanceReserved], |e: OrderCreated| Command::new(e.order, Ask::Count))
            .on("panic", says![], |e: OrderCancelRequested| Command::new(e.order, Ask::Panic))
            .on("refuse", says![], |e: OrderRejected| Command::new(e.order, Ask::Refuse))
            .on("call", says![BalanceDebited], |e: OrderCompleted| Command::new(e.order, Ask::Call { gives_up: true }))
            .when("the outside answers", "note", says![BalanceDebited])
    }

    fn order_of(command: &Command) -> OrderId {
        command.order.order_id
    }

    async fn load(&self, db: &mut PgConnection, commands: &[&Command]) -> Result<Self::Rows, StoreError> {
        let orders: Vec<Uuid> = commands.iter().map(|command| command.order.order_id.0).collect();
        let rows: Vec<(Uuid, i64)> =
            sqlx::query_as("select order_id, count from counts where order_id = any($1) order by order_id for update")
                .bind(orders)
                .fetch_all(db)
                .await?;
        Ok(Rows::loaded(rows.into_iter().map(|(order, count)| (OrderId(order), count))))
    }

    fn decide(&self, counts: &mut Self::Rows, command: &Command, _now: DateTime<Utc>) -> Says {
        let order = command.order.clone();
        match command.ask {
            Ask::Count => {
                let count = counts.get(&order.order_id).copied().unwrap_or_default();
                counts.put(order.order_id, count + order.total);
                Says::event(BalanceReserved { order })
            }
            Ask::Panic => panic!("the counter stumbled"),
            Ask::Refuse => Says::refused("nobody counts this"),
            Ask::Call { gives_up } => {
                Says::attempt(NewAttempt { kind: "ask", order_id: order.order_id, request: json!(order), gives_up })
            }
            Ask::Answered => Says::event(BalanceDebited { order }),
            Ask::GaveUp => Says::ignored("given up"),
        }
    }

    async fn save(&self, db: &mut PgConnection, counts: &Self::Rows) -> Result<(), StoreError> {
        let new = counts.new_rows();
        let inserted =
            sqlx::query("insert into counts select * from unnest($1::uuid[], $2::bigint[]) on conflict do nothing")
                .bind(new.iter().map(|(order, _)| order.0).collect::<Vec<_>>())
                .bind(new.iter().map(|(_, count)| **count).collect::<Vec<_>>())
                .execute(&mut *db)
                .await?;
        all_inserted("counts", new.len(), inserted.rows_affected())?;
        let changed = counts.changed_rows();
        sqlx::query(
            "update counts c set count = n.count from unnest($1::uuid[], $2::bigint[]) n (order_id, count)
             where c.order_id = n.order_id",
        )
        .bind(changed.iter().map(|(order, _)| order.0).collect::<Vec<_>>())
        .bind(changed.iter().map(|(_, count)| **count).collect::<Vec<_>>())
        .execute(db)
        .await?;
        Ok(())
    }
}
