//! Mutates everything that is stored anywhere, one value at a time; the audit has to find each change: every column of every row
//! of every domain table (from the schema, so that new ones are covered), every row deleted and duplicated, every booking of the
//! gateway, every mail, every record on Kafka. Changes that it cannot find are listed with the reason in `docs/audit.md`.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use events::{OrderId, publisher};
use saga::{record::Record, testing::TestDatabase};
use scenarios::{
    audit::{Booking, Item, Rows, ledger_is_whole},
    stack::Database,
};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, PgConnection, migrate::Migrator};

use crate::{
    shop::{Books, Shop, Source, begin},
    since,
    tried::{Change, Tally},
};

#[tokio::test]
async fn every_change_is_found_or_exempt_for_a_reason() {
    let shop = Shop::open().await;
    let mut books = shop.books().await;
    assert_eq!(books.findings(), [], "what is right is right");

    let mut tally = Tally::default();
    let kits = kits_tables().await;
    for database in Database::OF_THE_SHOP {
        let mut db = shop.system.database(database).acquire().await.unwrap();
        let sealed = since::seal(&mut db, database).await;
        for table in tables(&mut db, &kits).await {
            change_table(&mut db, (database, &sealed), &table, &mut books, &mut tally).await;
        }
        // Unchanged, for the mutations elsewhere.
        books.read(&mut db, database).await;
    }
    change_bookings(&shop, &mut books, &mut tally);
    change_mails(&shop, &mut books, &mut tally);
    change_log(&shop, &mut books, &mut tally);

    let tried: usize = tally.tried.values().sum();
    assert!(tried > 1_000, "only {tried} changes were tried");
    let exempt = exemptions();
    let missed: Vec<_> = tally.unfound.difference(&exempt).collect();
    assert!(missed.is_empty(), "not found, and not exempt in docs/audit.md: {missed:?}");
    let found: Vec<_> = exempt.difference(&tally.unfound).collect();
    assert!(found.is_empty(), "exempt in docs/audit.md, but found (or never tried): {found:?}");
}

/// The exemptions in the documentation: table rows whose first two cells name table and columns in backticks.
fn exemptions() -> BTreeSet<Change> {
    let page = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/audit.md");
    let text = std::fs::read_to_string(page).unwrap();
    let quoted = |cell: &str| -> Vec<String> { cell.split('`').skip(1).step_by(2).map(str::to_owned).collect() };
    let mut exemptions = BTreeSet::new();
    for row in text.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').collect();
        assert!(cells.len() == 3 && cells[2].trim().len() > 20, "no reason: {row}");
        for place in quoted(cells[0]) {
            exemptions.extend(quoted(cells[1]).into_iter().map(|what| (place.clone(), what)));
        }
    }
    exemptions
}

/// A column of the schema.
#[derive(Debug, Clone, sqlx::FromRow)]
struct Column {
    name: String,
    data_type: String,
    nullable: bool,
    identity: bool,
    in_key: bool,
    /// Words in the constraints on it.
    words: Vec<String>,
}

struct Columns {
    table: String,
    all: Vec<Column>,
}

const TABLES: &str = "select c.relname::text from pg_class c
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition order by 1";

/// The tables of `saga`, which every database has.
async fn kits_tables() -> Vec<String> {
    let database = TestDatabase::create(&Migrator::DEFAULT).await;
    sqlx::query_scalar(TABLES).fetch_all(database.pool()).await.unwrap()
}

/// The service's own tables, and the outbox.
async fn tables(db: &mut PgConnection, kits: &[String]) -> Vec<Columns> {
    let all: Vec<String> = sqlx::query_scalar(TABLES).fetch_all(&mut *db).await.unwrap();
    let mut tables = Vec::new();
    for table in all.into_iter().filter(|table| table == "outbox" || !kits.contains(table)) {
        let columns: Vec<Column> = sqlx::query_as(
            "select c.column_name::text as name, c.data_type::text, c.is_nullable = 'YES' as nullable,
                    c.is_identity = 'YES' as identity,
                    exists (select from pg_constraint k join pg_attribute a on a.attrelid = k.conrelid and a.attnum = any(k.conkey)
                            where k.conrelid = c.table_name::regclass and k.contype = 'p' and a.attname = c.column_name) as in_key,
                    array(select m[1] from pg_constraint k join pg_attribute a on a.attrelid = k.conrelid and a.attnum = any(k.conkey),
                                 regexp_matches(pg_get_constraintdef(k.oid), $$'([^']+)'$$, 'g') m
                          where k.conrelid = c.table_name::regclass and k.contype = 'c' and a.attname = c.column_name) as words
             from information_schema.columns c where c.table_schema = 'public' and c.table_name = $1
             order by c.ordinal_position",
        )
        .bind(&table)
        .fetch_all(&mut *db)
        .await
        .unwrap();
        tables.push(Columns { table, all: columns });
    }
    assert!(tables.len() >= 2, "a service has tables");
    tables
}

impl Column {
    /// Alternative values as SQL; the first one that the schema accepts is tried.
    fn others(&self) -> Vec<String> {
        let Column { name, words, .. } = self;
        match self.data_type.as_str() {
            "bigint" | "integer" => {
                vec![format!("coalesce({name}, 0) + 1"), format!("{name} - 1"), "2".to_owned(), "default".to_owned()]
            }
            "text" => {
                let words = words.iter().map(|word| format!("nullif('{word}', {name})"));
                words.chain([format!("coalesce({name}, '') || 'x'"), "'USD'".to_owned()]).collect()
            }
            "uuid" => vec!["gen_random_uuid()".to_owned()],
            "timestamp with time zone" => vec![format!("coalesce({name}, now()) + interval '1 day'")],
            "jsonb" => vec![format!(r#"{name} || '{{"more": 1}}'"#)],
            "bytea" => vec![r"'\x00'::bytea".to_owned()],
            "boolean" => vec![format!("not {name}")],
            other => panic!("no way to change a {other} is known: give {name} one"),
        }
    }
}

async fn change_table(
    db: &mut PgConnection,
    database: (Database, &Rows),
    Columns { table, all }: &Columns,
    books: &mut Books,
    tally: &mut Tally,
) {
    // Outboxes and timelines have many rows: only one of each kind is mutated.
    let kind = match table.as_str() {
        "outbox" => "type",
        "order_history" => "event",
        _ => "ctid",
    };
    let select = format!(
        "select tableoid::int8, ctid::text, row_number() over (partition by {kind} order by ctid) = 1 from {table}"
    );
    let rows: Vec<(i64, String, bool)> = sqlx::query_as(AssertSqlSafe(select)).fetch_all(&mut *db).await.unwrap();
    for (oid, ctid, is_first) in rows {
        let row = format!("tableoid = {oid}::oid and ctid = '{ctid}'");
        for column in all.iter().filter(|_| is_first) {
            let name = &column.name;
            let set = |other: &String| {
                format!("update {table} set {name} = {other} where {row} and {name} is distinct from {other}")
            };
            let changes: Vec<String> = column
                .others()
                .iter()
                .filter(|other| *other != "default" || column.identity)
                .map(|other| {
                    if other == "default" {
                        format!("update {table} set {name} = default where {row}")
                    } else {
                        set(other)
                    }
                })
                .collect();
            try_one(db, database, &changes, (table, name), books, tally).await;
            if column.nullable {
                let empty = format!("update {table} set {name} = null where {row} and {name} is not null");
                try_one(db, database, &[empty], (table, &format!("{name} emptied")), books, tally).await;
            }
        }
        if table == "outbox" && !is_first {
            continue;
        }
        let delete = format!("delete from {table} where {row}");
        try_one(db, database, &[delete], (table, "a row deleted"), books, tally).await;
        let doubles = doubles(table, all, &row);
        try_one(db, database, &doubles, (table, "a row doubled"), books, tally).await;
    }
}

/// SQL that copies a row under another key.
fn doubles(table: &str, columns: &[Column], row: &str) -> Vec<String> {
    let named: Vec<&Column> = columns.iter().filter(|column| !column.identity).collect();
    let names: Vec<&str> = named.iter().map(|column| column.name.as_str()).collect();
    let copy = |values: &[String]| {
        format!("insert into {table} ({}) select {} from {table} where {row}", names.join(", "), values.join(", "))
    };
    let plain: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut copies = vec![copy(&plain)];
    for (place, column) in named.iter().enumerate().rev().filter(|(_, column)| column.in_key) {
        copies.extend(column.others().into_iter().filter(|other| other != "default").map(|other| {
            let mut values = plain.clone();
            values[place] = other;
            copy(&values)
        }));
    }
    copies
}

/// Makes the first change that the schema allows, audits, and rolls it back. A change without effect does not count.
async fn try_one(
    db: &mut PgConnection,
    (database, sealed): (Database, &Rows),
    changes: &[String],
    (table, what): (&str, &str),
    books: &mut Books,
    tally: &mut Tally,
) {
    let mut transaction = begin(db).await;
    for change in changes {
        let mut savepoint = transaction.begin().await.unwrap();
        let done = sqlx::query(AssertSqlSafe(change.clone())).execute(&mut *savepoint).await;
        if done.is_ok_and(|done| done.rows_affected() > 0) {
            savepoint.commit().await.unwrap();
            let before = books.items[&Source::Database(database)].clone();
            books.read(&mut transaction, database).await;
            let found = is_found(books, Source::Database(database), &before);
            if found {
                since::assert_found(&mut transaction, (database, sealed), books, change).await;
            }
            books.items.insert(Source::Database(database), before);
            tally.note(table, what, found);
            break;
        }
        savepoint.rollback().await.unwrap();
    }
    transaction.rollback().await.unwrap();
}

/// Tells whether the audit has a finding about the changed orders, or about balances and stock.
fn is_found(books: &Books, source: Source, before: &[(OrderId, Item)]) -> bool {
    let texts = |items: &[(OrderId, Item)]| {
        let mut texts: BTreeMap<OrderId, String> = BTreeMap::new();
        for (order, item) in items {
            *texts.entry(*order).or_default() += &serde_json::to_string(item).unwrap();
        }
        texts
    };
    let (before, after) = (texts(before), texts(&books.items[&source]));
    !books.findings_of(|order| before.get(order) != after.get(order)).is_empty()
}

fn change_bookings(shop: &Shop, books: &mut Books, tally: &mut Tally) {
    const PLACE: &str = "the gateway's ledger";
    let entries = shop.system.ledger();
    let mut audit = |what: &str, entries: &[Value]| {
        let bookings: Vec<Booking> =
            entries.iter().map(|entry| serde_json::from_value(entry.clone()).unwrap()).collect();
        let before = books.items[&Source::Gateway].clone();
        books.read_bookings(&bookings);
        let found = is_found(books, Source::Gateway, &before) || !ledger_is_whole(&bookings).findings.is_empty();
        books.items.insert(Source::Gateway, before);
        tally.note(PLACE, what, found);
    };
    for place in 0..entries.len() {
        for (name, value) in entries[place].as_object().unwrap() {
            let mut changed = entries.clone();
            changed[place][name] = other(value);
            audit(name, &changed);
        }
        let mut changed = entries.clone();
        changed.remove(place);
        audit("a booking deleted", &changed);
        let mut changed = entries.clone();
        changed.insert(place, entries[place].clone());
        audit("a booking doubled", &changed);
    }
}

fn other(value: &Value) -> Value {
    match value {
        Value::Number(number) => (number.as_i64().unwrap() + 1).into(),
        Value::String(text) => format!("{text}x").into(),
        other => panic!("{other} in the ledger"),
    }
}

fn change_mails(shop: &Shop, books: &mut Books, tally: &mut Tally) {
    const PLACE: &str = "mails";
    let mails = shop.mails();
    let mut audit = |what: &str, mails: Vec<_>| {
        let before = books.items[&Source::Mails].clone();
        books.read_mails(mails);
        let found = is_found(books, Source::Mails, &before);
        books.items.insert(Source::Mails, before);
        tally.note(PLACE, what, found);
    };
    let mut kinds = BTreeSet::new();
    for (place, mail) in mails.iter().enumerate() {
        let with = |changed| mails.iter().cloned().chain([changed]).collect::<Vec<_>>();
        let mut changed = mails.clone();
        changed.remove(place);
        audit("a mail deleted", changed);
        audit("a mail doubled", with(mail.clone()));
        let mut renamed = mail.clone();
        renamed.name.push_str("-again");
        audit("a mail doubled under another name", with(renamed));
        // Line by line, one mail of each kind.
        let is_new = kinds.insert(mail.name[36..].to_owned());
        for (nth, line) in mail.text.lines().enumerate().filter(|(_, line)| is_new && !line.is_empty()) {
            let what = line.split_once(": ").filter(|(name, _)| !name.contains(' ')).map_or("body", |(name, _)| name);
            let mut changed = mails.clone();
            let lines = mail.text.lines().enumerate();
            let lines = lines.map(|(other, text)| if other == nth { format!("{text}x") } else { text.to_owned() });
            changed[place].text = lines.collect::<Vec<_>>().join("\r\n");
            audit(what, changed);
        }
    }
}

fn change_log(shop: &Shop, books: &mut Books, tally: &mut Tally) {
    let log = &shop.system.log;
    let mut kinds = BTreeSet::new();
    for (place, record) in log.iter().enumerate() {
        // One record of each type and topic.
        let kind = record.headers.iter().find(|(name, _)| name == "ce_type").map(|(_, value)| value.clone());
        if !kinds.insert((record.topic.clone(), kind)) {
            continue;
        }
        let of = if record.topic == publisher::CLIENT.topic() { "order.requests" } else { "topics of services" };
        let mut audit = |what: &str, changed: Option<Record>, more: Option<Record>| {
            let mut log = log.clone();
            match changed {
                Some(changed) => log[place] = changed,
                None => drop(log.remove(place)),
            }
            log.extend(more);
            let before = books.items[&Source::Log].clone();
            books.read_log(&log);
            let found = is_found(books, Source::Log, &before);
            books.items.insert(Source::Log, before);
            tally.note(of, what, found);
        };
        audit("a record deleted", None, None);
        let value = String::from_utf8(record.value.clone().unwrap()).unwrap();
        // Change a number if there is one; otherwise add a word.
        let changed = value.replacen("\"user_id\": ", "\"user_id\": 1", 1).replacen("\"user_id\":", "\"user_id\":1", 1);
        audit("value", Some(Record { value: Some(changed.into_bytes()), ..record.clone() }), None);
        audit("key", Some(Record { key: Some(b"other".to_vec()), ..record.clone() }), None);
        audit("partition", Some(Record { partition: (record.partition + 1) % 6, ..record.clone() }), None);
        for nth in 0..record.headers.len() {
            let (mut changed, mut without) = (record.clone(), record.clone());
            let name = record.headers[nth].0.clone();
            changed.headers[nth].1 = changed_header(&name, &changed.headers[nth].1);
            audit(&name, Some(changed), None);
            without.headers.remove(nth);
            audit(&format!("{name} removed"), Some(without), None);
        }
        let mut again = record.clone();
        again.offset = 1_000_000;
        if let Some(id) = again.headers.iter_mut().find(|(name, _)| name == "ce_id") {
            id.1 = uuid::Uuid::now_v7().to_string().into_bytes();
        }
        audit("a record doubled under another id", Some(record.clone()), Some(again));
    }
}

fn changed_header(name: &str, value: &[u8]) -> Vec<u8> {
    match name {
        "ce_id" | "ce_causationid" | "ce_subject" => uuid::Uuid::now_v7().to_string().into_bytes(),
        "ce_time" => b"2020-01-01T00:00:00.000000Z".to_vec(),
        _ => [value, b"x"].concat(),
    }
}
