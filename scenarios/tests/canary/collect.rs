//! Everything that a running system leaves behind, and what its commands print.

use std::{collections::BTreeMap, fs, path::PathBuf, process::Stdio};

use anyhow::Context;
use events::OrderId;
use futures::future::join_all;
use saga::record::Record;
use scenarios::{archive, listener, stack::Stack};
use sqlx::{AssertSqlSafe, PgPool};
use tokio::process::Command;

use crate::{
    search::Place,
    shop::{BOUND, Shop},
};

/// Each column of each table of each database of the server, the audit log's and that of the keys too.
pub(crate) async fn tables(shop: &Shop<'_>) -> anyhow::Result<Vec<Place>> {
    let databases = "select datname::text from pg_database where not datistemplate";
    let databases: Vec<String> = sqlx::query_scalar(databases).fetch_all(&shop.superuser("postgres").await?).await?;
    let mut places = Vec::new();
    for database in databases {
        columns(&database, &shop.superuser(&database).await?, &mut places).await?;
    }
    Ok(places)
}

async fn columns(database: &str, pool: &PgPool, places: &mut Vec<Place>) -> anyhow::Result<()> {
    let columns = "select c.table_schema::text, c.table_name::text, c.column_name::text
                   from information_schema.columns c join information_schema.tables t using (table_schema, table_name)
                   where t.table_type = 'BASE TABLE' and c.table_schema not in ('pg_catalog', 'information_schema')";
    let columns: Vec<(String, String, String)> = sqlx::query_as(columns).fetch_all(pool).await?;
    for (schema, table, column) in columns {
        let text = format!(r#"select coalesce(string_agg("{column}"::text, E'\n'), '') from "{schema}"."{table}""#);
        let text: String = sqlx::query_scalar(AssertSqlSafe(text)).fetch_one(pool).await?;
        // A part of a partitioned table, by the whole's name.
        let table = table.split("_p20").next().unwrap_or_default().to_owned();
        places.push(Place::new(format!("table {database}.{table}.{column}"), text));
    }
    Ok(())
}

/// Logs of programs and servers, mails, and the provider's books.
pub(crate) fn files(stack: &Stack) -> anyhow::Result<Vec<Place>> {
    let state = stack.state().unwrap();
    let mut paths = vec![state.ledger()];
    for folder in [state.logs(), state.mail()] {
        let all: Result<Vec<PathBuf>, _> = fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect();
        paths.extend(all?);
    }
    let place =
        |path: PathBuf| Ok(Place::new(format!("file {}", path.file_name().unwrap().display()), fs::read(&path)?));
    paths.into_iter().filter(|path| path.is_file()).map(place).collect()
}

/// Each record of each topic, in its parts.
pub(crate) async fn records(shop: &Shop<'_>) -> anyhow::Result<Vec<Place>> {
    let brokers = shop.environment.brokers.clone();
    let records = tokio::task::spawn_blocking(move || {
        let mut records = Vec::new();
        let mut topics = listener::topics();
        topics.extend(archive::readable_topics(&brokers)?);
        topics.sort();
        topics.dedup();
        archive::read(&brokers, &topics, |record| records.push(record))?;
        anyhow::Ok(records)
    });
    Ok(records.await??.iter().flat_map(parts).collect())
}

fn parts(record: &Record) -> Vec<Place> {
    let name = |part: &str| format!("record {}: {part}", record.topic);
    let mut parts: Vec<Place> = record.value.iter().map(|value| Place::new(name("value"), value)).collect();
    parts.extend(record.key.iter().map(|key| Place::new(name("key"), key)));
    for (header, value) in &record.headers {
        // Of a dead letter: what the service says of it.
        let part = match header.strip_prefix("kafka_dlt-") {
            Some(added) => format!("added header {added}"),
            None => format!("own header {header}"),
        };
        parts.push(Place::new(name(&part), [header.as_bytes(), b": ", value].concat()));
    }
    parts
}

/// The command line of each process, as everybody on the machine sees it.
pub(crate) fn processes(stack: &Stack) -> Vec<Place> {
    let own = std::process::id().to_string();
    let mut parents = BTreeMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let pid = entry.file_name().to_string_lossy().into_owned();
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let parent = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1)).unwrap_or_default();
        parents.insert(pid, parent.to_owned());
    }
    let descends =
        |pid: &String| std::iter::successors(parents.get(pid), |pid| parents.get(*pid)).any(|pid| *pid == own);
    let named: BTreeMap<String, String> =
        stack.processes().into_iter().map(|(name, pid)| (pid.to_string(), name)).collect();
    let place = |pid: &String| {
        let name = named.get(pid).cloned().unwrap_or_else(|| "a child".to_owned());
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        Place::new(format!("command line of {name}"), line)
    };
    parents.keys().filter(|pid| descends(pid)).map(place).collect()
}

/// What the runner's commands print, at the highest log level.
pub(crate) async fn commands(shop: &Shop<'_>, order: OrderId, folder: &std::path::Path) -> anyhow::Result<Vec<Place>> {
    let order = order.to_string();
    let mut places = Vec::new();
    let all = [
        &["trace", &order][..],
        &["parked", "list"],
        &["dlt", "list"],
        &["reconcile", "--wait", "1"],
        &["reconcile", "--wait", "1", &order],
        &["verify", "--wait", "1"],
        &["audit", "list"],
        &["topics", "list"],
    ];
    let printed = join_all(all.iter().map(async |arguments| run(shop, arguments, folder).await)).await;
    for (arguments, printed) in all.into_iter().zip(printed) {
        let printed = printed?;
        places.push(Place::new(format!("command {}", arguments.join(" ")), &printed));
        let ids = printed.lines().filter_map(|line| line.split_once("  ").map(|(id, _)| id.to_owned()));
        match arguments {
            ["parked", "list"] => {
                let ids: Vec<String> = ids.filter(|id| id.parse::<uuid::Uuid>().is_ok()).collect();
                let shown = ids.iter().map(async |id| run(shop, &["parked", "show", id], folder).await);
                for shown in join_all(shown).await {
                    places.push(Place::new("command parked show", shown?));
                }
                let retry: Vec<&str> = ["parked", "retry"].into_iter().chain(ids.iter().map(String::as_str)).collect();
                let retry = [&retry[..], &["--note", "looked at"]].concat();
                places.push(Place::new("command parked retry", run(shop, &retry, folder).await?));
            }
            ["dlt", "list"] => {
                let letters: Vec<String> = ids.filter(|id| id.contains("-dlt/")).collect();
                let last = letters.last().cloned().context("a dead letter")?;
                places.push(Place::new("command dlt show", run(shop, &["dlt", "show", &last], folder).await?));
                let again = run(shop, &["dlt", "replay", "--all", "--vouch"], folder).await?;
                places.push(Place::new("command dlt replay", again));
            }
            _ => {}
        }
    }
    Ok(places)
}

async fn run(shop: &Shop<'_>, arguments: &[&str], folder: &std::path::Path) -> anyhow::Result<String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scenarios"));
    command.args(arguments).envs(shop.stack.variables()).env("USER", "ophelia").env("RUST_LOG", "trace");
    command.current_dir(folder).kill_on_drop(true).stdin(Stdio::null());
    let output =
        tokio::time::timeout(BOUND, command.output()).await.with_context(|| format!("{arguments:?} ends"))??;
    Ok(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}
