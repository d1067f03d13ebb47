//! Finds rows that were written, changed or deleted since a database was sealed, by their transaction numbers (`xmin`, see
//! "System Columns" in PostgreSQL's manual).

use std::collections::BTreeMap;

use anyhow::Context;
use events::{OrderId, Publisher};
use futures::TryStreamExt;
use serde::{Deserialize, Serialize};
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

use super::{
    Doubts, Share, Tally, Void,
    evidence::{Evidence, nowhere},
};
use crate::{
    Database,
    audit::{dossier::Era, tables::Table},
};

/// A table, or a partition of an outbox, of one database.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place(String);

impl Place {
    pub(super) fn of_table(table: Table) -> Self {
        Place::named(table.database(), table.name())
    }

    pub(super) fn of_outbox(publisher: Publisher, partition: &str) -> Self {
        let database = Database::OF_THE_SHOP.into_iter().find(|database| database.publisher() == publisher);
        Place(format!("{}.{partition}", database.map_or("", Database::name)))
    }

    fn named(database: Database, name: &str) -> Self {
        Place(format!("{database}.{name}"))
    }

    /// The day of an outbox partition, as in its name.
    fn day(&self) -> Option<&str> {
        let (_, day) = self.0.split_once(".outbox_")?;
        day.bytes().all(|digit| digit.is_ascii_digit()).then_some(day)
    }
}

/// The rows of sealed orders in one database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rows {
    /// Identity of the server and the database, see [`identity`].
    pub(in crate::audit) identity: String,
    /// Every row version of an earlier transaction was counted, and no other.
    mark: u64,
    /// Number of rows.
    pub(super) rows: BTreeMap<Place, Tally>,
    evidence: Evidence,
}

impl Rows {
    /// The rows found at `marks`, all of them of sealed orders.
    pub fn new(identity: String, marks: Marks, changes: Changes) -> Self {
        Rows { identity, mark: marks.now, rows: changes.rows, evidence: changes.evidence }
    }
}

/// Transaction numbers (64 bits) that divide the rows by the time of writing.
#[derive(Debug, Clone, Copy)]
pub struct Marks {
    last: Option<u64>,
    /// The oldest running transaction: the next look counts what it and later ones write as new. (Savepoints have numbers of
    /// their own, which are higher than that of their transaction.)
    now: u64,
}

/// Row versions store 32 bits of the transaction number: beyond this distance, before and after cannot be distinguished.
const FURTHEST: u64 = 1 << 30;

impl Marks {
    /// Reads the marks in the session's current transaction.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn of(db: &mut PgConnection, last: Option<&Rows>) -> sqlx::Result<Self> {
        let now: String =
            sqlx::query_scalar("select pg_snapshot_xmin(pg_current_snapshot())::text").fetch_one(db).await?;
        let now = now.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
        Ok(Marks { last: last.map(|rows| rows.mark), now })
    }

    /// An SQL expression that is true of rows written before a transaction. A row that is more than two billion transactions old
    /// has a negative age; a row of a savepoint of the current transaction has a small one.
    fn before(mark: u64) -> String {
        format!("age(xmin) not between -1000000 and age('{}'::xid)", mark & u64::from(u32::MAX))
    }

    fn before_last(self) -> String {
        Self::before(self.last.unwrap_or(self.now))
    }

    /// An SQL expression for the era of a row, see [`Marks::era`].
    pub(in crate::audit) fn era_of_row(self) -> String {
        format!("case when {} then 0 when {} then 1 else 2 end", self.before_last(), Self::before(self.now))
    }

    pub(in crate::audit) fn era(number: i32) -> Era {
        match number {
            0 => Era::Sealed,
            1 => Era::Past,
            _ => Era::Late,
        }
    }

    /// Checks that before and after can still be distinguished.
    fn check(self, database: Database) -> Result<(), Void> {
        let Some(last) = self.last else { return Ok(()) };
        if self.now < last {
            return Err(Void(format!("{database} is at an earlier transaction than before: it was restored")));
        }
        if self.now - last > FURTHEST {
            return Err(Void(format!("{database} has had too many transactions since it was verified")));
        }
        Ok(())
    }
}

/// Identifies a sealed database: the server's system identifier, its timeline (which changes with each restore and each failover)
/// and the database's oid.
///
/// # Errors
/// If the database does not answer.
pub async fn identity(db: &mut PgConnection) -> sqlx::Result<String> {
    sqlx::query_scalar(
        "select format('%s/%s/%s', (select system_identifier from pg_control_system()),
                       (select timeline_id from pg_control_checkpoint()),
                       (select oid from pg_database where datname = current_database()))",
    )
    .fetch_one(db)
    .await
}

/// What has changed in one database.
#[derive(Debug, Default)]
pub struct Changes {
    /// The orders concerned, as far as they can be determined; empty if nothing was sealed.
    pub doubts: Doubts,
    /// All rows from before the mark, of sealed and other orders.
    pub rows: BTreeMap<Place, Tally>,
    evidence: Evidence,
}

/// Finds what has changed since the rows of sealed orders were counted, `open` orders excepted. Runs in the session's current
/// transaction.
///
/// # Errors
/// [`Void`] if the database is not the sealed one; any other error if it does not answer.
pub async fn changes(
    db: &mut PgConnection,
    database: Database,
    marks: Marks,
    before: Option<(&Rows, &Doubts)>,
) -> anyhow::Result<Changes> {
    marks.check(database)?;
    let mut changes = Changes::default();
    let mut sealed = BTreeMap::new();
    let open = Open {
        orders: before.iter().flat_map(|(_, open)| open.orders.iter().map(|order| order.0)).collect(),
        names: before.iter().flat_map(|(_, open)| open.names.iter().cloned()).collect(),
    };
    for table in Table::ALL.into_iter().filter(|table| table.database() == database) {
        let source = Source { table: table.name(), column: table.order_column(), open: "$1" };
        source.count(db, database, marks, &open, &mut changes, &mut sealed).await?;
    }
    let outbox = Source { table: "outbox", column: "aggregateid", open: "$2" };
    outbox.count(db, database, marks, &open, &mut changes, &mut sealed).await?;
    if let Some((before, _)) = before {
        changes.doubts.shares.extend(missing(&before.rows, &sealed, &partitions(db, database).await?));
        let now = Evidence::read(db, database, &marks.before_last(), Some(&before.evidence)).await?;
        before.evidence.is_all_there(&now, database)?;
        changes.doubts.orders.extend(nowhere(db, database).await?);
    }
    changes.evidence = Evidence::read(db, database, &Marks::before(marks.now), None).await?;
    Ok(changes)
}

/// Open orders, as tables and as outboxes name them.
struct Open {
    orders: Vec<Uuid>,
    names: Vec<String>,
}

/// A table whose rows belong to orders.
struct Source {
    table: &'static str,
    /// The column with the order's id.
    column: &'static str,
    /// The parameter with the open orders.
    open: &'static str,
}

impl Source {
    /// Counts the rows from before the present mark, and those of sealed orders from before the previous one. Notes the orders
    /// with rows written since.
    async fn count(
        &self,
        db: &mut PgConnection,
        database: Database,
        marks: Marks,
        open: &Open,
        changes: &mut Changes,
        sealed: &mut BTreeMap<Place, Tally>,
    ) -> anyhow::Result<()> {
        let Source { table, column, open: names } = self;
        let (now, last) = (Marks::before(marks.now), marks.before_last());
        // Where nothing was sealed, everything is new and the answer is not needed.
        let is_new = if marks.last.is_some() { format!("not ({last})") } else { "false".to_owned() };
        let select = format!(
            "select source::regclass::text, share, past, sealed, coalesce(written, '{{}}') from (
                 select tableoid as source, right({column}::text, 3) as share, count(*) filter (where {now}) as past,
                        count(*) filter (where {last} and {column} <> all({names})) as sealed,
                        array_agg(distinct {column}::text) filter (where {is_new}) as written
                 from {table} where $1::uuid[] is not null and $2::text[] is not null group by 1, 2) counted"
        );
        let query = sqlx::query_as::<_, (String, String, i64, i64, Vec<String>)>(AssertSqlSafe(select));
        let mut counts = query.bind(&open.orders).bind(&open.names).fetch(db);
        while let Some((place, share, past, unchanged, written)) =
            counts.try_next().await.with_context(|| format!("counting the rows of {table} in {database}"))?
        {
            let (place, share) = (Place::named(database, &place), Share::of_text(&share));
            changes.rows.entry(place.clone()).or_default().add(share, past.unsigned_abs());
            sealed.entry(place).or_default().add(share, unchanged.unsigned_abs());
            let doubts = &mut changes.doubts;
            doubts.orders.extend(written.iter().filter_map(|name| name.parse::<OrderId>().ok()));
            doubts.names.extend(written);
        }
        Ok(())
    }
}

/// The present partitions of the outbox.
async fn partitions(db: &mut PgConnection, database: Database) -> anyhow::Result<Vec<Place>> {
    let names: Vec<String> =
        sqlx::query_scalar("select inhrelid::regclass::text from pg_inherits where inhparent = 'outbox'::regclass")
            .fetch_all(db)
            .await
            .with_context(|| format!("listing the outbox partitions of {database}"))?;
    Ok(names.iter().map(|name| Place::named(database, name)).collect())
}

/// Shares in which rows are missing or unexpected. `partitions`: the present partitions of the outbox.
fn missing(before: &BTreeMap<Place, Tally>, now: &BTreeMap<Place, Tally>, partitions: &[Place]) -> Vec<Share> {
    let none = Tally::default();
    // Retention drops the oldest days, as whole partitions.
    let oldest = partitions.iter().filter_map(Place::day).min();
    let has_expired = |place: &Place| place.day().zip(oldest).is_some_and(|(day, oldest)| day < oldest);
    let places = before.keys().chain(now.keys().filter(|place| !before.contains_key(*place)));
    places
        .filter(|place| now.contains_key(*place) || !has_expired(place))
        .flat_map(|place| before.get(place).unwrap_or(&none).differences(now.get(place).unwrap_or(&none)))
        .collect()
}

#[cfg(test)]
mod tests;
