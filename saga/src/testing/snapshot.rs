//! Everything that a service has written, so that two databases can be compared.

use std::collections::BTreeMap;

use sqlx::{AssertSqlSafe, PgPool};

/// Tables of this crate and of the outbox. Events and calls are compared by their contents.
const OWN: [&str; 13] = [
    "_sqlx_migrations",
    "attempts",
    "consumer_offsets",
    "dead_letters",
    "granted_migrations",
    "inbox",
    "outbox",
    "outbox_publisher",
    "parked_actions",
    "parked_events",
    "parked_newer",
    "relay_cursor",
    "upkeep_limits",
];

/// The subset that every unit of work writes to, whatever the service.
const WRITTEN: [&str; 3] = ["attempts", "inbox", "outbox"];

/// Rows of a service's own tables, its events and its calls, without timestamps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Snapshot {
    pub(super) tables: BTreeMap<String, Vec<String>>,
    /// Publisher, saga, type and data, in order.
    pub(super) said: Vec<(String, String, String, String)>,
    calls: Vec<String>,
}

impl Snapshot {
    pub(super) async fn of(pool: &PgPool) -> sqlx::Result<Self> {
        let mut tables = BTreeMap::new();
        for table in own_tables(pool).await? {
            let times: Vec<String> = sqlx::query_scalar(
                "select column_name::text from information_schema.columns
                 where table_schema = 'public' and table_name = $1 and data_type like 'timestamp%'",
            )
            .bind(&table)
            .fetch_all(pool)
            .await?;
            let rows = format!("select (to_jsonb(t) - $1::text[])::text from \"{table}\" t order by 1");
            let rows = sqlx::query_scalar(AssertSqlSafe(rows)).bind(times).fetch_all(pool).await?;
            tables.insert(table, rows);
        }
        let said = "select aggregatetype, aggregateid, type, payload::text from outbox order by seq";
        let said = sqlx::query_as(said).fetch_all(pool).await?;
        let calls =
            "select format('%s of %s: %s, gives up %s, %s', kind, order_id, request, gives_up, status) from attempts
                     order by 1";
        Ok(Snapshot { tables, said, calls: sqlx::query_scalar(calls).fetch_all(pool).await? })
    }

    /// Rows of these tables only.
    pub(super) fn rows_of(&self, tables: &[&str]) -> Vec<&Vec<String>> {
        tables.iter().map(|table| &self.tables[*table]).collect()
    }
}

/// The service's own tables.
async fn own_tables(pool: &PgPool) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(
        "select relname::text from pg_class
         where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition and relname <> all($1)
         order by 1",
    )
    .bind(OWN.as_slice())
    .fetch_all(pool)
    .await
}

/// Copies the rows of the service's own tables into a separate schema; returns the statements that restore them.
pub(super) async fn keep(pool: &PgPool) -> sqlx::Result<Vec<String>> {
    // Disables foreign keys and triggers.
    let mut statements = vec!["set local session_replication_role = replica".to_owned()];
    sqlx::raw_sql("create schema given").execute(pool).await?;
    for table in own_tables(pool).await? {
        let copy = format!("create table given.\"{table}\" as table \"{table}\"");
        sqlx::raw_sql(AssertSqlSafe(copy)).execute(pool).await?;
        let columns: String = sqlx::query_scalar(
            "select string_agg(quote_ident(column_name), ', ') from information_schema.columns
             where table_schema = 'public' and table_name = $1 and is_generated = 'NEVER'",
        )
        .bind(&table)
        .fetch_one(pool)
        .await?;
        statements.push(format!("delete from \"{table}\""));
        statements.push(format!(
            "insert into \"{table}\" ({columns}) overriding system value select {columns} from given.\"{table}\""
        ));
    }
    statements.extend(WRITTEN.map(|table| format!("delete from {table}")));
    Ok(statements)
}

/// Restores the database to the saved rows.
pub(super) async fn restore(pool: &PgPool, statements: &[String]) -> sqlx::Result<()> {
    let mut transaction = pool.begin().await?;
    sqlx::raw_sql(AssertSqlSafe(statements.join(";\n"))).execute(&mut *transaction).await?;
    transaction.commit().await
}

/// All tables that a unit of work writes to.
pub(super) async fn written(pool: &PgPool) -> sqlx::Result<Vec<String>> {
    let mut tables = own_tables(pool).await?;
    tables.extend(WRITTEN.map(str::to_owned));
    Ok(tables)
}
