//! A service that counts: the minimum with rows, refusals, calls and bugs.

use chrono::{DateTime, Utc};
use saga::{
    Facts, NewAttempt, Publisher, Rows, SagaId, Says, Service, StoreError, Table, publisher, says, store::all_inserted,
    testing::TestDatabase,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::{PgConnection, migrate::Migrator};
use uuid::Uuid;

/// What to count.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Task {
    pub task_id: SagaId,
    pub total: i64,
    pub words: Option<String>,
}

impl Facts for Task {
    fn saga_id(&self) -> SagaId {
        self.task_id
    }
}

/// A new task that counts for a hundred.
pub(crate) fn task() -> Task {
    Task { task_id: SagaId(Uuid::now_v7()), total: 100, words: None }
}

/// Events of the desk.
pub(crate) mod desk {
    use super::{Publisher, Task, publisher};

    const DESK: Publisher = publisher!("desk");

    saga::events! { DESK, task: Task,
        /// Asks the counter to count.
        Wanted {}
        /// Asks the counter to panic.
        Stumbled {}
        /// An event that makes no sense.
        Nonsense {}
        /// Asks for a call to the outside.
        Asked {}
    }
}

/// Events of the counter.
pub(crate) mod counter {
    use super::{Publisher, Task, publisher};

    pub(crate) const COUNTER: Publisher = publisher!("counter");

    saga::events! { COUNTER, task: Task,
        /// Counted.
        Counted {}
        /// The outside has answered.
        Told {}
    }
}

use counter::{COUNTER, Counted, Told};
use desk::{Asked, Nonsense, Stumbled, Wanted};

/// The crate's tables are all that the migrations create.
pub(crate) static MIGRATIONS: Migrator = Migrator::DEFAULT;

/// A database with the counter's table. A count is limited to a thousand.
pub(crate) async fn database() -> TestDatabase {
    let db = TestDatabase::create(&MIGRATIONS).await;
    db.run("create table counts (task_id uuid primary key, count bigint not null check (count <= 1000))").await;
    db
}

pub(crate) async fn count(db: &TestDatabase, task: SagaId) -> Option<i64> {
    sqlx::query_scalar("select count from counts where task_id = $1")
        .bind(task.0)
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
    pub(crate) task: Task,
    pub(crate) ask: Ask,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ask {
    /// Count the task's total.
    Count,
    /// A bug.
    Panic,
    /// An event that makes no sense.
    Refuse,
    /// A call to the outside, which may be given up or not.
    Call { gives_up: bool },
    /// The call was answered.
    Answered,
    /// The call was given up.
    GaveUp,
}

impl Command {
    pub(crate) fn new(task: Task, ask: Ask) -> Self {
        Command { task, ask }
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Counter;

impl Service for Counter {
    type Command = Command;
    type Rows = Rows<SagaId, i64>;

    const PUBLISHER: Publisher = COUNTER;

    fn table() -> Table<Command> {
        Table::of(Self::PUBLISHER)
            .on("count", says![Counted], |e: Wanted| Command::new(e.task, Ask::Count))
            .on("panic", says![], |e: Stumbled| Command::new(e.task, Ask::Panic))
            .on("refuse", says![], |e: Nonsense| Command::new(e.task, Ask::Refuse))
            .on("call", says![Told], |e: Asked| Command::new(e.task, Ask::Call { gives_up: true }))
            .when("the outside answers", "note", says![Told])
    }

    fn saga_of(command: &Command) -> SagaId {
        command.task.task_id
    }

    async fn load(&self, db: &mut PgConnection, commands: &[&Command]) -> Result<Self::Rows, StoreError> {
        let tasks: Vec<Uuid> = commands.iter().map(|command| command.task.task_id.0).collect();
        let rows: Vec<(Uuid, i64)> =
            sqlx::query_as("select task_id, count from counts where task_id = any($1) order by task_id for update")
                .bind(tasks)
                .fetch_all(db)
                .await?;
        Ok(Rows::loaded(rows.into_iter().map(|(order, count)| (SagaId(order), count))))
    }

    fn decide(&self, counts: &mut Self::Rows, command: &Command, _now: DateTime<Utc>) -> Says {
        let task = command.task.clone();
        match command.ask {
            Ask::Count => {
                let count = counts.get(&task.task_id).copied().unwrap_or_default();
                counts.put(task.task_id, count + task.total);
                Says::event(Counted { task })
            }
            Ask::Panic => panic!("the counter stumbled"),
            Ask::Refuse => Says::refused("nobody counts this"),
            Ask::Call { gives_up } => {
                let ask = NewAttempt::new("ask", task.task_id, json!(task));
                Says::attempt(NewAttempt { gives_up, ..ask })
            }
            Ask::Answered => Says::event(Told { task }),
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
            "update counts c set count = n.count from unnest($1::uuid[], $2::bigint[]) n (task_id, count)
             where c.task_id = n.task_id",
        )
        .bind(changed.iter().map(|(order, _)| order.0).collect::<Vec<_>>())
        .bind(changed.iter().map(|(_, count)| **count).collect::<Vec<_>>())
        .execute(db)
        .await?;
        Ok(())
    }
}
