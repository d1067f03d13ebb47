//! Auditing a whole system: everything is read once, sorted by orders, and judged part by part.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    num::NonZero,
    sync::Arc,
};

use anyhow::Context;
use chrono::{DateTime, Utc};
use events::{Order, OrderId, Publisher};
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::{
    Invariant, Ledgers, Places, Steps, delivered,
    dossier::{Dossier, Item},
    gateway,
    judge::{self, Judgement, Known},
    money,
    requests::Requests,
    spill::Spill,
    stock, tables,
    topics::Topics,
};
use crate::{
    archive,
    databases::Databases,
    listener,
    stack::{Database, Environment},
};

/// Reads and judges everything. `places` for a system that does not rest.
pub(super) async fn judge(
    environment: &Environment,
    databases: &Databases,
    places: Option<Places>,
) -> anyhow::Result<Vec<Invariant>> {
    let living = places.is_some();
    let begun = Utc::now();
    let spill = Arc::new(Spill::new());
    // Beside each other: what one of them is ahead by is too young to be judged while the system lives.
    let kafka = read_kafka(environment.brokers.clone(), spill.clone()).map(|read| read.context("reading Kafka"));
    let ((topics, beginnings), known) = tokio::try_join!(kafka, read_databases(databases, &spill))?;
    let logged_since = topics.since(&beginnings);
    let mut known = Known { places, letters: Arc::new(topics.letters), ..known };
    known.buyers.domain = std::env::var("MAIL_DOMAIN").unwrap_or_else(|_| notification::MAIL_DOMAIN.to_owned());
    known.kept.logged_since = logged_since;
    known.kept.partitions = partitions(&beginnings);
    known.kept.begun = Some(begun);
    let mut numbered = gateway::Numbered::default();
    for booking in gateway::bookings(environment).await? {
        numbered.note(&booking);
        // A charge without an order is nobody's, and found as such.
        let order = booking.payment_id.parse().unwrap_or(OrderId(Uuid::nil()));
        spill.put(order, &Item::Booking(booking))?;
    }
    if let Some(directory) = environment.mail_dir().filter(|directory| directory.is_dir()) {
        known.mails = true;
        delivered::read(directory, |order, mail| spill.put(order.unwrap_or(OrderId(Uuid::nil())), &Item::Mail(mail)))?;
    }
    let ledgers = Ledgers::load(databases).await.context("reading balances and stock")?;
    let mut gone = Vec::new();
    for database in [Database::Accounts, Database::Inventory] {
        let mut db = databases.of_service(database).acquire().await?;
        gone.extend(Ledgers::gone(&mut db, database).await.with_context(|| format!("reading {database}"))?);
    }
    let (mut invariants, paid, requests, under_way) = parts(&spill, databases, known, begun).await?;
    // While orders are under way, sums over several databases say nothing.
    let paid = (!living).then_some(&paid);
    let held = money::nothing_held(&Steps::default(), &ledgers);
    judge::add(&mut invariants, vec![held, money::conserved(paid, &ledgers)]);
    invariants.extend([stock::nothing_held(&ledgers), stock::conserved(&ledgers), numbered.end()]);
    let looked_at = "balances and stock".to_owned();
    invariants.push(Invariant { what: "what orders have drawn on is there", looked_at, findings: gone });
    invariants.push(requests.judge(&environment.brokers, databases, topics.letter_count).await?);
    if living {
        let looked_at = format!("{under_way} orders are on their way and left for later");
        invariants.push(Invariant {
            what: "what is on its way is judged when it has arrived",
            looked_at,
            findings: vec![],
        });
    }
    Ok(invariants)
}

type Beginnings = BTreeMap<(Publisher, i32), i64>;

async fn read_kafka(brokers: String, spill: Arc<Spill>) -> anyhow::Result<(Topics, Beginnings)> {
    tokio::task::spawn_blocking(move || {
        let (mut topics, mut failed) = (Topics::default(), None);
        let beginnings = archive::beginnings(&brokers, &listener::topics())?;
        archive::read(&brokers, &listener::topics(), |record| {
            if failed.is_none() {
                failed = topics.note(&record, |order, item| spill.put(order, &item)).err();
            }
        })?;
        failed.map_or(Ok(()), Err)?;
        let publisher = |topic: &str| Publisher::all().find(|publisher| publisher.topic() == topic);
        let beginnings = beginnings
            .into_iter()
            .filter_map(|((topic, partition), low)| Some(((publisher(&topic)?, partition), low)))
            .collect();
        Ok((topics, beginnings))
    })
    .await?
}

/// Reads all databases at once; what is known beside the orders' files.
async fn read_databases(databases: &Databases, spill: &Arc<Spill>) -> anyhow::Result<Known> {
    let reading = Database::ALL.map(|database| {
        let (pool, spill) = (databases.of_service(database).clone(), spill.clone());
        // Tasks of their own, so that they are on all processors.
        tokio::spawn(async move {
            let (mut db, mut known) = (pool.acquire().await?, Known::default());
            read_database(&mut db, database, &mut known, |order, item| spill.put(order, &item)).await?;
            anyhow::Ok(known)
        })
    });
    let mut all = Known::default();
    for known in reading {
        let Known { resolved, kept, .. } = known.await??;
        Arc::make_mut(&mut all.resolved).extend(resolved.iter());
        all.kept.published.extend(kept.published);
        all.kept.written_since.extend(kept.written_since);
    }
    Ok(all)
}

fn partitions(beginnings: &Beginnings) -> BTreeMap<Publisher, i32> {
    let mut partitions = BTreeMap::new();
    for (topic, _) in beginnings.keys() {
        *partitions.entry(*topic).or_insert(0) += 1;
    }
    partitions
}

/// Reads all that one service has written down, as it is at one moment.
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
    let service = database.publisher();
    let resolved: Vec<Uuid> = sqlx::query_scalar("select work_id from parked_actions where action = 'resolve'")
        .fetch_all(&mut *db)
        .await
        .with_context(|| format!("reading what people did in {database}"))?;
    Arc::make_mut(&mut known.resolved).extend(resolved.into_iter().map(|id| (service, id)));
    let published: i64 = sqlx::query_scalar("select last_seq from relay_cursor")
        .fetch_one(&mut *db)
        .await
        .with_context(|| format!("reading how far the outbox of {database} is published"))?;
    known.kept.published.insert(service, published);
    // Retention takes whole partitions, the oldest first: what lies before the first one may be gone, and nothing else.
    let bounds: Vec<String> = sqlx::query_scalar(
        r"select substring(pg_get_expr(c.relpartbound, c.oid) from $$FROM \('([0-9a-f-]+)'$$)
         from pg_inherits i join pg_class c on c.oid = i.inhrelid
         where i.inhparent = 'outbox'::regclass and pg_get_expr(c.relpartbound, c.oid) <> 'DEFAULT'",
    )
    .fetch_all(&mut *db)
    .await
    .with_context(|| format!("reading how far the outbox of {database} goes back"))?;
    let oldest = bounds.iter().filter_map(|bound| bound.parse().ok()).min();
    known.kept.written_since.extend(oldest.map(|oldest: Uuid| (service, oldest)));
    tables::read(db, database, put).await
}

/// Judges part by part, as many at a time as there are processors.
async fn parts(
    spill: &Spill,
    databases: &Databases,
    known: Known,
    begun: DateTime<Utc>,
) -> anyhow::Result<(Vec<Invariant>, money::Paid, Requests, usize)> {
    let at_once = std::thread::available_parallelism().map_or(1, NonZero::get);
    let (mut invariants, mut paid) = (Vec::new(), money::Paid::default());
    let (mut requests, mut under_way) = (Requests::default(), 0);
    let mut judged = stream::iter(spill.take())
        .map(|dossiers| part(dossiers, databases, known.clone(), begun))
        .buffer_unordered(at_once);
    while let Some(judgement) = judged.try_next().await? {
        judge::add(&mut invariants, judgement.invariants);
        paid.add(&judgement.steps);
        requests.add(judgement.requests);
        under_way += judgement.under_way;
    }
    Ok((invariants, paid, requests, under_way))
}

async fn part(
    bucket: impl FnOnce() -> anyhow::Result<Vec<Dossier>> + Send + 'static,
    databases: &Databases,
    mut known: Known,
    begun: DateTime<Utc>,
) -> anyhow::Result<Judgement> {
    let (dossiers, facts) = tokio::task::spawn_blocking(move || {
        let dossiers = bucket()?;
        let facts: Vec<Order> = dossiers.iter().filter_map(Dossier::facts).collect();
        anyhow::Ok((dossiers, facts))
    })
    .await??;
    let users: HashSet<i64> = facts.iter().map(|order| order.user_id.0).collect();
    let mut db = databases.of_service(Database::Notifications).acquire().await?;
    let addresses = addresses(&mut db, users.into_iter().collect()).await?;
    known.buyers.addresses = addresses;
    // By the time at which reading began: however long it took, what one source was ahead by is young.
    Ok(tokio::task::spawn_blocking(move || judge::files(dossiers, &known, begun)).await?)
}

/// Where these buyers want their mail, and where they have wanted it.
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
