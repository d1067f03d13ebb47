//! Reads the databases, each in one snapshot: everything, or only what is wanted.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use anyhow::{Context, bail};
use events::OrderId;
use sqlx::{Connection, PgConnection, Postgres, Transaction};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::{
    Database,
    audit::{
        dossier::{Era, Item},
        judge::Known,
        money::Paid,
        seal::{Before, Changes, Marks, Seal, Void, Wanted, changes, identity},
        spill::Spill,
        tables,
    },
    databases::Databases,
};

/// A snapshot of one database.
pub(super) struct Snapshot {
    db: Transaction<'static, Postgres>,
    pub(super) survey: Survey,
}

/// What was found in one database.
pub(in crate::audit) struct Survey {
    pub(in crate::audit) database: Database,
    pub(in crate::audit) marks: Marks,
    pub(in crate::audit) identity: String,
    pub(in crate::audit) changes: Changes,
}

/// Takes a snapshot of each of the shop's databases, and finds what has changed since the previous look.
pub(super) async fn survey(databases: &Databases, before: &Before) -> anyhow::Result<Vec<Snapshot>> {
    // Aborted together with their caller.
    let mut surveys = JoinSet::new();
    for database in Database::OF_THE_SHOP {
        let (pool, before) = (databases.of_service(database).clone(), before.clone());
        // Separate tasks, so that they use all processors.
        surveys.spawn(async move {
            let mut db = pool.begin_with("begin isolation level repeatable read read only").await?;
            let last = before.seal().map(|seal| seal.rows(database)).transpose()?;
            let marks = Marks::of(&mut db, last).await?;
            let identity = match before {
                Before::Forgotten => String::new(),
                _ => identity(&mut db).await.with_context(|| format!("reading the identity of {database}"))?,
            };
            if last.is_some_and(|last| last.identity != identity) {
                bail!(Void(format!("{database} is another database than before, or was restored")));
            }
            let open = before.seal().map(Seal::open).unwrap_or_default();
            let changes = match before {
                Before::Forgotten => Changes::default(),
                _ => changes(&mut db, database, marks, last.map(|last| (last, &open))).await?,
            };
            anyhow::Ok(Snapshot { db, survey: Survey { database, marks, identity, changes } })
        });
    }
    let mut snapshots = Vec::new();
    while let Some(survey) = surveys.join_next().await {
        snapshots.push(survey??);
    }
    Ok(snapshots)
}

/// What was read from the databases, except for what is in the orders' dossiers.
#[derive(Default)]
pub(super) struct Rows {
    pub(super) surveys: Vec<Survey>,
    pub(super) known: Known,
    pub(super) paid: Paid,
    /// Orders with rows from before the previous look.
    pub(super) old: HashSet<OrderId>,
}

/// Reads what is wanted from all databases at once.
pub(super) async fn read(snapshots: Vec<Snapshot>, wanted: &Arc<Wanted>, spill: &Arc<Spill>) -> anyhow::Result<Rows> {
    let mut reading = JoinSet::new();
    for Snapshot { mut db, survey } in snapshots {
        let (wanted, spill) = (wanted.clone(), spill.clone());
        reading.spawn(async move {
            let (mut known, mut paid, mut old) = (Known::default(), None, HashSet::new());
            let put = |order, item: Item| {
                if matches!(*wanted, Wanted::Only(_)) && item.era() == Some(Era::Sealed) {
                    old.insert(order);
                }
                spill.put(order, &item)
            };
            read_wanted(&mut db, survey.database, (&wanted, survey.marks), &mut known, put).await?;
            if survey.database == Database::PAYMENTS {
                paid = Some(Paid::read(&mut db).await?);
            }
            db.commit().await?;
            anyhow::Ok((survey, known, paid, old))
        });
    }
    let mut rows = Rows::default();
    while let Some(one) = reading.join_next().await {
        let (survey, known, paid, old) = one??;
        let Known { resolved, kept, buyers, .. } = known;
        Arc::make_mut(&mut rows.known.buyers.erased).extend(buyers.erased.iter());
        Arc::make_mut(&mut rows.known.resolved).extend(resolved.iter());
        rows.known.kept.published.extend(kept.published);
        rows.known.kept.written_since.extend(kept.written_since);
        rows.paid = paid.unwrap_or(rows.paid);
        rows.old.extend(old);
        rows.surveys.push(survey);
    }
    Ok(rows)
}

/// Reads everything that one service has written, in one snapshot.
///
/// # Errors
/// If the database does not answer, or `put` fails.
pub async fn read_database(
    db: &mut PgConnection,
    database: Database,
    known: &mut Known,
    put: impl FnMut(OrderId, Item) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut snapshot = db.begin_with("begin isolation level repeatable read read only").await?;
    read_within(&mut snapshot, database, known, put).await?;
    snapshot.commit().await?;
    Ok(())
}

/// As [`read_database`], in the caller's transaction.
///
/// # Errors
/// As there.
pub async fn read_within(
    db: &mut PgConnection,
    database: Database,
    known: &mut Known,
    put: impl FnMut(OrderId, Item) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let marks = Marks::of(db, None).await?;
    read_wanted(db, database, (&Wanted::Everything, marks), known, put).await
}

/// As [`read_within`], for the wanted orders only.
async fn read_wanted(
    db: &mut PgConnection,
    database: Database,
    (wanted, marks): (&Wanted, Marks),
    known: &mut Known,
    put: impl FnMut(OrderId, Item) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let service = database.publisher();
    let resolved: Vec<Uuid> = sqlx::query_scalar("select work_id from parked_actions where action = 'resolve'")
        .fetch_all(&mut *db)
        .await
        .with_context(|| format!("reading the operators' actions in {database}"))?;
    Arc::make_mut(&mut known.resolved).extend(resolved.into_iter().map(|id| (service, id)));
    if database == Database::ORDERS {
        let erased: Vec<i64> = sqlx::query_scalar("select user_id from erased_users")
            .fetch_all(&mut *db)
            .await
            .context("reading the users that are erased")?;
        Arc::make_mut(&mut known.buyers.erased).extend(erased);
    }
    let published: i64 = sqlx::query_scalar("select last_seq from relay_cursor")
        .fetch_one(&mut *db)
        .await
        .with_context(|| format!("reading how far the outbox of {database} is published"))?;
    known.kept.published.insert(service, published);
    // Retention drops whole partitions, the oldest first. Only rows before the first remaining partition may be missing.
    let bounds: Vec<String> = sqlx::query_scalar(
        r"select substring(pg_get_expr(c.relpartbound, c.oid) from $$FROM \('([0-9a-f-]+)'$$)
         from pg_inherits i join pg_class c on c.oid = i.inhrelid
         where i.inhparent = 'outbox'::regclass and pg_get_expr(c.relpartbound, c.oid) <> 'DEFAULT'",
    )
    .fetch_all(&mut *db)
    .await
    .with_context(|| format!("listing the outbox partitions of {database}"))?;
    let oldest = bounds.iter().filter_map(|bound| bound.parse().ok()).min();
    known.kept.written_since.extend(oldest.map(|oldest: Uuid| (service, oldest)));
    tables::read(db, database, (wanted, marks), put).await
}

/// Present and former mail addresses of these buyers.
///
/// # Errors
/// If the database does not answer.
pub async fn addresses(db: &mut PgConnection, users: Vec<i64>) -> sqlx::Result<HashMap<i64, Vec<String>>> {
    let mut addresses: HashMap<i64, Vec<String>> = HashMap::new();
    for select in [
        "select user_id, address from contacts where user_id = any($1)",
        "select user_id, address from former_contacts where user_id = any($1) order by until desc",
    ] {
        let rows: Vec<(i64, String)> = sqlx::query_as(select).bind(&users).fetch_all(&mut *db).await?;
        for (user, address) in rows {
            addresses.entry(user).or_default().push(address);
        }
    }
    Ok(addresses)
}
