//! Every right of every role on every table, sequence and function, found by trying.

use std::collections::{BTreeMap, BTreeSet};

use saga::outbox::roles::KINDS;
use scenarios::stack::Database;
use sqlx::PgConnection;

use crate::ground::{Ground, is_refused};

/// What the roles of a database may do, by object, in the order of [`KINDS`].
pub(crate) type Rights = BTreeMap<String, Vec<String>>;

/// An object of a database.
#[derive(sqlx::FromRow)]
struct Object {
    name: String,
    /// `table`, `sequence` or `function`.
    kind: String,
    /// Columns, or a function's arguments as nulls.
    parts: Vec<String>,
}

/// All tables (partitions too), sequences and functions.
async fn objects(db: &mut PgConnection) -> Vec<Object> {
    sqlx::query_as(
        "select relname::text as name, case relkind when 'S' then 'sequence' else 'table' end as kind,
                array(select quote_ident(attname) from pg_attribute a
                      where a.attrelid = c.oid and attnum > 0 and not attisdropped order by attnum) as parts
         from pg_class c where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'S', 'v', 'm', 'f')
         union all
         select oid::regprocedure::text, 'function',
                array(select 'null::' || format_type(argument, null) from unnest(proargtypes) with ordinality a (argument, place)
                      order by place)
         from pg_proc where pronamespace = 'public'::regnamespace",
    )
    .fetch_all(db)
    .await
    .unwrap()
}

/// The rights of all roles of a database.
pub(crate) async fn rights(ground: &Ground, database: Database) -> Rights {
    let objects = objects(&mut ground.admin(database).await).await;
    let mut rights = Rights::new();
    for kind in KINDS {
        let mut db = ground.connect(database, kind).await;
        for object in &objects {
            let found = match object.kind.as_str() {
                "table" => on_table(&mut db, object).await,
                "sequence" => on_sequence(&mut db, &object.name).await,
                _ => on_function(&mut db, object).await,
            };
            rights.entry(object.name.clone()).or_default().push(found.join(", "));
        }
    }
    without_days(rights)
}

/// Daily partitions in one row, as `inbox_<day>`; all of them have to be alike.
fn without_days(rights: Rights) -> Rights {
    let mut merged = Rights::new();
    for (name, cells) in rights {
        let day =
            name.rsplit_once('_').filter(|(_, day)| day.len() == 8 && day.bytes().all(|byte| byte.is_ascii_digit()));
        let name = day.map_or(name.clone(), |(parent, _)| format!("{parent}_<day>"));
        let before = merged.insert(name.clone(), cells.clone());
        assert!(before.is_none_or(|before| before == cells), "{name}");
    }
    merged
}

async fn on_table(db: &mut PgConnection, Object { name, parts, .. }: &Object) -> Vec<String> {
    let mut found = Vec::new();
    let select = |columns: &[String]| format!("select {} from {name} limit 0", columns.join(", "));
    let insert = |columns: &[String]| {
        let nulls = vec!["null"; columns.len()].join(", ");
        format!("insert into {name} ({}) overriding system value select {nulls} where false", columns.join(", "))
    };
    let update = |columns: &[String]| {
        let set: Vec<String> = columns.iter().map(|column| format!("{column} = default")).collect();
        format!("update {name} set {} where false", set.join(", "))
    };
    found.extend(by_column(db, "select", parts, select).await);
    found.extend(by_column(db, "insert", parts, insert).await);
    found.extend(by_column(db, "update", parts, update).await);
    let first = &parts[0];
    let whole = [
        ("delete", format!("delete from {name} where false")),
        ("truncate", format!("truncate {name}")),
        ("lock", format!("lock table only {name} in access exclusive mode")),
        ("alter", format!("alter table {name} rename to another")),
        ("alter", format!("alter table {name} disable trigger all")),
        ("alter", format!("alter table {name} owner to current_user")),
        ("drop", format!("drop table {name} cascade")),
        ("index", format!("create index on {name} ({first})")),
        ("policy", format!("create policy open on {name} using (true)")),
        (
            "trigger",
            format!(
                "create trigger ours before update on {name} for each row execute function suppress_redundant_updates_trigger()"
            ),
        ),
    ];
    for (right, sql) in whole {
        if !is_refused(db, &sql).await {
            found.push(right.to_owned());
        }
    }
    // It takes effect in another table only, which a role without a schema cannot make.
    let references = "select has_any_column_privilege($1, 'references')";
    if sqlx::query_scalar::<_, bool>(references).bind(name).fetch_one(db).await.unwrap() {
        found.push("references".to_owned());
    }
    found
}

/// A right on all columns, or on some, which are then named.
async fn by_column(
    db: &mut PgConnection,
    right: &str,
    columns: &[String],
    sql: impl Fn(&[String]) -> String,
) -> Option<String> {
    if !is_refused(db, &sql(columns)).await {
        return Some(right.to_owned());
    }
    let mut allowed = Vec::new();
    for column in columns {
        if !is_refused(db, &sql(std::slice::from_ref(column))).await {
            allowed.push(column.as_str());
        }
    }
    (!allowed.is_empty()).then(|| format!("{right} ({})", allowed.join(" ")))
}

async fn on_sequence(db: &mut PgConnection, name: &str) -> Vec<String> {
    let attempts = [
        ("draw", format!("select nextval('{name}')")),
        ("select", format!("select last_value from {name}")),
        ("set", format!("select setval('{name}', 1)")),
        ("alter", format!("alter sequence {name} restart")),
        ("drop", format!("drop sequence {name} cascade")),
    ];
    let mut found = Vec::new();
    for (right, sql) in attempts {
        if !is_refused(db, &sql).await {
            found.push(right.to_owned());
        }
    }
    found
}

async fn on_function(db: &mut PgConnection, Object { name, parts, .. }: &Object) -> Vec<String> {
    let (function, _) = name.split_once('(').unwrap();
    let attempts = [
        ("execute", format!("select {function}({})", parts.join(", "))),
        ("alter", format!("alter function {name} reset all")),
        ("drop", format!("drop function {name} cascade")),
    ];
    let mut found = Vec::new();
    for (right, sql) in attempts {
        // The functions of the upkeep refuse nulls with the same code, so they are asked for.
        let refused = match right {
            "execute" => !may_execute(db, name).await && is_refused(db, &sql).await,
            _ => is_refused(db, &sql).await,
        };
        if !refused {
            found.push(right.to_owned());
        }
    }
    found
}

async fn may_execute(db: &mut PgConnection, function: &str) -> bool {
    let asked = sqlx::query_scalar("select has_function_privilege($1, 'execute')").bind(function);
    asked.fetch_one(db).await.unwrap()
}

/// The table of docs/security/postgres.md: what all databases have in common, then what each has besides.
pub(crate) fn render(all: &[(Database, Rights)]) -> String {
    let names: BTreeSet<&String> = all.iter().flat_map(|(_, rights)| rights.keys()).collect();
    let is_common = |name: &String| all.iter().all(|(_, rights)| rights.get(name) == all[0].1.get(name));
    let (common, own): (Vec<&String>, Vec<&String>) = names.into_iter().partition(|name| is_common(name));
    let mut text = section("Every database", common.into_iter().map(|name| (name, &all[0].1[name])));
    for (database, rights) in all {
        let rows = own.iter().filter_map(|name| Some((*name, rights.get(*name)?)));
        text.push_str(&section(&format!("`{database}`"), rows));
    }
    text
}

fn section<'a>(title: &str, rows: impl Iterator<Item = (&'a String, &'a Vec<String>)>) -> String {
    let mut text = format!("\n{title}:\n\n| | {} |\n|---|{}\n", KINDS.join(" | "), "---|".repeat(KINDS.len()));
    for (name, cells) in rows {
        let cells: Vec<&str> = cells.iter().map(|cell| if cell.is_empty() { "–" } else { cell }).collect();
        text.push_str(&format!("| `{name}` | {} |\n", cells.join(" | ")));
    }
    text
}
