//! Every column of every table that can hold a text.

use std::collections::BTreeMap;

use anyhow::Context;
use futures::TryStreamExt;
use secrecy::ExposeSecret;
use sqlx::{AssertSqlSafe, PgPool, postgres::PgPoolOptions};

use super::{Found, Needles, Searched};
use crate::{Environment, databases::Databases};

/// Columns of tables that can hold a text, and whether this role may read them. Partitions are read through their table; the
/// record of migrations is the same everywhere.
const COLUMNS: &str = "
select format('%I.%I', n.nspname, c.relname), a.attname, a.atttypid::regtype::text,
       has_schema_privilege(n.oid, 'usage') and has_column_privilege(c.oid, a.attnum, 'select'),
       has_table_privilege(c.oid, 'select')
from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
join pg_type t on t.oid = a.atttypid
where c.relkind in ('r', 'p', 'm') and not c.relispartition and a.attnum > 0 and not a.attisdropped
  and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname not like 'pg\\_toast%' and n.nspname not like 'pg\\_temp%'
  and c.relname <> '_sqlx_migrations'
  and (t.typcategory in ('S', 'A', 'C', 'E', 'X') or t.typname in ('json', 'jsonb', 'bytea', 'xml', 'hstore', 'citext'))
  and t.typname not in ('_uuid', '_int4', '_int8')
order by 1, a.attnum";

/// A column: name, type, whether it may be read, and whether the whole table may.
type Column = (String, String, bool, bool);

pub(super) async fn look(environment: &Environment, databases: &Databases, needles: &Needles, searched: &mut Searched) {
    for database in databases.all() {
        let pools = [databases.of_service(database), databases.of_operator(database)];
        if let Err(why) = look_into(&database.to_string(), &pools, needles, searched).await {
            searched.unseen(format!("the database {database}"), &why);
        }
    }
    let readers = environment.audit_log.iter().find(|(name, _)| *name == audit_log::AUDIT_READER_URL);
    if let Some((name, url)) = readers
        && let Err(why) = look_into_audit_log(environment, (name, url.expose_secret()), needles, searched).await
    {
        searched.unseen("the database of the audit log", &why);
    }
}

async fn look_into_audit_log(
    environment: &Environment,
    (setting, url): (&str, &str),
    needles: &Needles,
    searched: &mut Searched,
) -> anyhow::Result<()> {
    let options = environment.transport.postgres(setting, url)?;
    let pool = PgPoolOptions::new().max_connections(1).connect_with(options).await?;
    look_into("audit", &[&pool], needles, searched).await
}

/// Looks into one database, with whichever of the roles may read a column.
async fn look_into(name: &str, pools: &[&PgPool], needles: &Needles, searched: &mut Searched) -> anyhow::Result<()> {
    let mut unread: BTreeMap<(String, String), String> = BTreeMap::new();
    for (place, pool) in pools.iter().enumerate() {
        let columns: Vec<(String, String, String, bool, bool)> =
            sqlx::query_as(COLUMNS).fetch_all(*pool).await.context("listing its columns")?;
        let mut tables: BTreeMap<String, Vec<Column>> = BTreeMap::new();
        for (table, column, of, readable, whole) in columns {
            tables.entry(table).or_default().push((column, of, readable, whole));
        }
        for (table, mut columns) in tables {
            columns.retain(|(column, of, readable, _)| {
                let key = (table.clone(), column.clone());
                let is_new = place == 0 || unread.contains_key(&key);
                if *readable {
                    unread.remove(&key);
                } else if is_new {
                    unread.insert(key, of.clone());
                }
                *readable && is_new
            });
            if !columns.is_empty() {
                look_through(name, pool, (&table, &columns), needles, searched).await?;
            }
        }
    }
    for (table, column) in unread.into_keys() {
        searched.unseen.push(format!("{name}: {table}.{column}: no right to read it"));
    }
    Ok(())
}

/// The table row by row: no more than one is in memory.
async fn look_through(
    database: &str,
    pool: &PgPool,
    (table, columns): (&str, &[Column]),
    needles: &Needles,
    searched: &mut Searched,
) -> anyhow::Result<()> {
    let bytes = columns.iter().map(|(column, of, ..)| {
        let name = format!("\"{}\"", column.replace('"', "\"\""));
        match of.as_str() {
            "bytea" => name,
            "bytea[]" => format!("(select string_agg(part, '\\x0a'::bytea) from unnest({name}) part)"),
            _ => format!("convert_to({name}::text, 'UTF8')"),
        }
    });
    // The row's place is no column: who may read some columns alone may not read it.
    let row = if columns.iter().all(|(.., whole)| *whole) { "ctid::text" } else { "'unknown'" };
    let select = format!("select {row}, array[{}]::bytea[] from {table}", bytes.collect::<Vec<_>>().join(", "));
    let mut rows = sqlx::query_as::<_, (String, Vec<Option<Vec<u8>>>)>(AssertSqlSafe(select)).fetch(pool);
    while let Some((row, values)) = rows.try_next().await.with_context(|| format!("reading {table}"))? {
        searched.rows += 1;
        for ((column, ..), value) in columns.iter().zip(values) {
            for what in value.map(|value| needles.find(&value)).unwrap_or_default() {
                searched.note(Found {
                    what: what.to_owned(),
                    place: format!("{database}: {table}.{column}, row {row}"),
                    remedy: remedy(table),
                });
            }
        }
    }
    Ok(())
}

fn remedy(table: &str) -> String {
    match table.rsplit('.').next().unwrap_or(table) {
        "outbox" => "it goes with the outbox's retention, OUTBOX_RETENTION_HOURS",
        "parked_events" | "attempts" => "settle it: `scenarios parked list`; then run this again",
        "dead_letters" => "it is still to be published: wait, then see `scenarios dlt list`",
        "parked_actions" | "entries" => "a person wrote it down: decide whether it may stay",
        _ => "if it is another user's, it stays; otherwise run this again, and report it if it is still there",
    }
    .to_owned()
}
