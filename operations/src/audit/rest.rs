//! Waiting for the system to come to rest.

use std::time::Duration;

use events::Publisher;

use super::{Finding, Groups, Invariant, further::rest as further};
use crate::{Database, Environment, databases::Databases, until};

/// Waits at most `patience` until no order is in flight, no call is open, no event or dead letter is unpublished and no service
/// lags. Parked work counts as at rest: it waits for an operator.
pub(super) async fn wait(
    environment: &Environment,
    databases: &Databases,
    groups: &Groups,
    patience: Duration,
) -> anyhow::Result<()> {
    let at_rest = async || match open(environment, databases, groups, Depth::AsFarAsNeeded).await {
        Ok(open) => open.is_empty().then_some(Ok(())),
        Err(error) => Some(Err(error)),
    };
    // A timeout is no error here; `reached` reports it.
    until("the system is at rest", patience, at_rest).await.unwrap_or(Ok(()))
}

/// Reports as findings what is still open after waiting as long as [`wait`] does, and what is parked.
pub(super) async fn reached(
    environment: &Environment,
    databases: &Databases,
    groups: &Groups,
    patience: Duration,
) -> anyhow::Result<Invariant> {
    wait(environment, databases, groups, patience).await?;
    let mut open = open(environment, databases, groups, Depth::All).await?;
    for database in Database::OF_THE_SHOP {
        open.extend(parked_in(databases, database).await?);
    }
    open.extend(further::parked(environment, databases).await);
    Ok(Invariant {
        what: "the system comes to rest",
        looked_at: "orders, calls, outboxes, the place of every consumer group, parked work".into(),
        findings: open.into_iter().map(Finding::general).collect(),
    })
}

/// Thoroughness of the check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Depth {
    /// Skips Kafka while the databases show work in flight.
    AsFarAsNeeded,
    All,
}

async fn open(
    environment: &Environment,
    databases: &Databases,
    groups: &Groups,
    depth: Depth,
) -> anyhow::Result<Vec<String>> {
    let mut open = in_databases(databases).await?;
    if open.is_empty() || depth == Depth::All {
        let behind = groups.behind(databases).await?;
        open.extend(behind.into_iter().map(|(service, lag)| left_to_read(service, lag)));
    }
    if open.is_empty() || depth == Depth::All {
        open.extend(further::open(environment, databases).await);
    }
    // What was just published may have caused new work: check the databases last.
    if open.is_empty() {
        return Ok(in_databases(databases).await?);
    }
    Ok(open)
}

/// A service that lags.
pub(super) fn left_to_read(service: Publisher, lag: i64) -> String {
    format!("{service} has {lag} events left to read")
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
    for database in Database::OF_THE_SHOP {
        open.extend(unfinished(databases, database).await?);
    }
    Ok(open)
}

/// Calls, events and dead letters that one service has yet to get rid of.
pub(super) async fn unfinished(databases: &Databases, database: Database) -> sqlx::Result<Vec<String>> {
    let (calls, unpublished, letters): (i64, i64, i64) = sqlx::query_as(
        "select (select count(*) from attempts where status = 'open'),
                (select count(*) from outbox where seq > (select last_seq from relay_cursor)),
                (select count(*) from dead_letters)",
    )
    .fetch_one(databases.of_service(database))
    .await?;
    let all = [
        (calls, format!("{calls} calls of {database} are open")),
        (letters, format!("{letters} dead letters of {database} are not published")),
        (unpublished, format!("{unpublished} events of {database} are not published")),
    ];
    Ok(all.into_iter().filter(|(count, _)| *count > 0).map(|(_, line)| line).collect())
}

/// Work of one service that waits for an operator, or for a newer program.
pub(super) async fn parked_in(databases: &Databases, database: Database) -> sqlx::Result<Vec<String>> {
    let (calls, events, newer): (i64, i64, i64) = sqlx::query_as(
        // Whatever waits behind an event of a later version waits for the newer program, too.
        "with unsettled as (select order_id, status, needs_version is not null as newer
                            from parked_events left join parked_newer using (event_id) where status <> 'settled'),
              classed as (select newer or (status = 'waiting'
                                           and order_id in (select order_id from unsettled where newer)) as newer
                          from unsettled)
         select (select count(*) from attempts where status = 'parked'),
                (select count(*) from classed where not newer),
                (select count(*) from classed where newer)",
    )
    .fetch_one(databases.of_service(database))
    .await?;
    let all = [
        (calls, format!("{calls} calls of {database} are parked and wait for a person")),
        (events, format!("{events} events of {database} are parked and wait for a person")),
        (
            newer,
            format!("{newer} events of {database} are parked and wait for a newer program that reads their version"),
        ),
    ];
    Ok(all.into_iter().filter(|(count, _)| *count > 0).map(|(_, line)| line).collect())
}
