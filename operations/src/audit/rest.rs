//! Waiting for the system to come to rest.

use std::time::Duration;

use crate::{Database, databases::Databases, until};

use super::{Finding, Groups, Invariant};

/// Waits at most `patience` until no order is in flight, no call is open, no event or dead letter is unpublished and no service
/// lags. Parked work counts as at rest: it waits for an operator.
pub(super) async fn wait(databases: &Databases, groups: &Groups, patience: Duration) -> anyhow::Result<()> {
    let at_rest = async || match open(databases, groups, Depth::AsFarAsNeeded).await {
        Ok(open) => open.is_empty().then_some(Ok(())),
        Err(error) => Some(Err(error)),
    };
    // A timeout is no error here; `reached` reports it.
    until("the system is at rest", patience, at_rest).await.unwrap_or(Ok(()))
}

/// Reports as findings what is still open after waiting as long as [`wait`] does, and what is parked.
pub(super) async fn reached(databases: &Databases, groups: &Groups, patience: Duration) -> anyhow::Result<Invariant> {
    wait(databases, groups, patience).await?;
    let mut open = open(databases, groups, Depth::All).await?;
    open.extend(groups.untold().iter().cloned());
    let mut findings: Vec<Finding> = open.into_iter().map(Finding::general).collect();
    findings.extend(parked(databases).await?.into_iter().map(Finding::general));
    Ok(Invariant {
        what: "the system comes to rest",
        looked_at: "orders, calls, outboxes, the place of every consumer group, parked work".into(),
        findings,
    })
}

/// Thoroughness of the check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Depth {
    /// Skips Kafka while the databases show work in flight.
    AsFarAsNeeded,
    All,
}

async fn open(databases: &Databases, groups: &Groups, depth: Depth) -> anyhow::Result<Vec<String>> {
    let mut open = in_databases(databases).await?;
    if open.is_empty() || depth == Depth::All {
        let behind = groups.behind(databases).await?;
        // What was just published may have caused new work: check the databases last.
        if behind.is_empty() && open.is_empty() {
            return Ok(in_databases(databases).await?);
        }
        open.extend(behind.into_iter().map(|(service, lag)| format!("{service} has {lag} events left to read")));
    }
    Ok(open)
}

async fn in_databases(databases: &Databases) -> sqlx::Result<Vec<String>> {
    let mut open = Vec::new();
    let orders = databases.of_service(Database::ORDERS);
    let under_way: i64 = sqlx::query_scalar("select count(*) from orders where status in ('PENDING', 'CANCELLING')")
        .fetch_one(orders)
        .await?;
    if under_way > 0 {
        open.push(format!("{under_way} orders are under way"));
    }
    let notifications = databases.of_service(Database::NOTIFICATIONS);
    let unsent: i64 =
        sqlx::query_scalar("select count(*) from notifications where sent_at is null").fetch_one(notifications).await?;
    if unsent > 0 {
        open.push(format!("{unsent} mails are not sent"));
    }
    for database in databases.all() {
        let pool = databases.of_service(database);
        let (calls, unpublished, letters): (i64, i64, i64) = sqlx::query_as(
            "select (select count(*) from attempts where status = 'open'),
                    (select count(*) from outbox where seq > (select last_seq from relay_cursor)),
                    (select count(*) from dead_letters)",
        )
        .fetch_one(pool)
        .await?;
        if calls > 0 {
            open.push(format!("{calls} calls of {database} are open"));
        }
        if letters > 0 {
            open.push(format!("{letters} dead letters of {database} are not published"));
        }
        if unpublished > 0 {
            open.push(format!("{unpublished} events of {database} are not published"));
        }
    }
    Ok(open)
}

async fn parked(databases: &Databases) -> sqlx::Result<Vec<String>> {
    let mut parked = Vec::new();
    for database in databases.all() {
        let (calls, events): (i64, i64) = sqlx::query_as(
            "select (select count(*) from attempts where status = 'parked'), (select count(*) from parked_events where status <> 'settled')",
        )
        .fetch_one(databases.of_service(database))
        .await?;
        if calls > 0 {
            parked.push(format!("{calls} calls of {database} are parked and wait for a person"));
        }
        if events > 0 {
            parked.push(format!("{events} events of {database} are parked and wait for a person"));
        }
    }
    Ok(parked)
}
