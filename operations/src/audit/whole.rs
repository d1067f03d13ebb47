//! Audits a whole system: reads everything once, groups it by order, and judges it part by part.

use std::{collections::HashSet, num::NonZero};

use anyhow::Context;
use chrono::{DateTime, Utc};
use events::Order;
use futures::{StreamExt, TryStreamExt, stream};

use super::{
    Invariant, Ledgers, Places, Steps,
    dossier::Dossier,
    further, gateway,
    judge::{self, Judgement, Known},
    money,
    reading::{self, Reading, addresses},
    requests::Requests,
    seal::{Before, Open, Seal, Void},
    stock,
};
use crate::{Database, Environment, databases::Databases};

/// Findings, and the seal for the next look.
pub(super) struct Judged {
    pub(super) invariants: Vec<Invariant>,
    /// None if nothing is to be remembered.
    pub(super) seal: Option<Seal>,
}

/// Reads and judges everything except what is known not to have changed. `places` are given for a system that is not at rest.
pub(super) async fn judge(
    environment: &Environment,
    databases: &Databases,
    places: Option<Places>,
    before: Before,
) -> anyhow::Result<Judged> {
    let voided = match &before {
        Before::Sealed(seal) if seal.mail_domain != mail_domain() => {
            Some(Void(format!("MAIL_DOMAIN was {}", seal.mail_domain)))
        }
        Before::Sealed(_) => match one_look(environment, databases, places.clone(), &before).await {
            Ok(judged) => return Ok(judged),
            Err(error) => Some(error.downcast::<Void>()?),
        },
        Before::Forgotten | Before::Nothing => None,
    };
    let before = if voided.is_some() { Before::Nothing } else { before };
    let mut judged = one_look(environment, databases, places, &before).await?;
    let looked_at = voided.map(|Void(why)| format!("everything was gone through: {why}"));
    let anew = looked_at.map(|looked_at| Invariant { what: UNCHANGED, looked_at, findings: vec![] });
    judged.invariants.splice(0..0, anew);
    Ok(judged)
}

const UNCHANGED: &str = "what was verified before is as it was";

async fn one_look(
    environment: &Environment,
    databases: &Databases,
    places: Option<Places>,
    before: &Before,
) -> anyhow::Result<Judged> {
    let living = places.is_some();
    let begun = Utc::now();
    let mut reading = reading::read(environment, databases, before).await?;
    let known = &mut reading.known;
    known.places = places;
    known.buyers.domain = mail_domain();
    known.kept.begun = Some(begun);
    let ledgers = Ledgers::load(databases).await.context("reading balances and stock")?;
    let mut gone = Vec::new();
    for database in [Database::ACCOUNTS, Database::INVENTORY] {
        let mut db = databases.of_service(database).acquire().await?;
        gone.extend(Ledgers::gone(&mut db, database).await.with_context(|| format!("reading {database}"))?);
    }
    let open = Open::after(before.seal());
    let Parts { mut invariants, requests, under_way, mut open, count } =
        parts(&mut reading, databases, open, begun).await?;
    if let Some(seal) = before.seal() {
        let looked_at = format!("{} orders were verified, {count} were looked at now", seal.sealed);
        invariants.insert(0, Invariant { what: UNCHANGED, looked_at, findings: vec![] });
    }
    // While orders are in flight, sums over several databases mean nothing.
    let paid = (!living).then_some(&reading.paid);
    let held = money::nothing_held(&Steps::default(), &ledgers);
    judge::add(&mut invariants, vec![held, money::conserved(paid, &ledgers)]);
    let whole = gateway::ledger_is_whole(&reading.bookings);
    invariants.extend([stock::nothing_held(&ledgers), stock::conserved(&ledgers), whole]);
    let looked_at = "balances and stock".to_owned();
    invariants.push(Invariant { what: "what orders have drawn on is there", looked_at, findings: gone });
    let requests = requests.judge(&environment.brokers, databases, reading.topics.log.letter_count).await?;
    invariants.push(requests);
    open.forget_mere_requests(invariants.iter().flat_map(|invariant| &invariant.findings));
    invariants.extend(further::judge(environment, databases, living).await);
    if living {
        let looked_at = format!("{under_way} orders are on their way and left for later");
        invariants.push(Invariant {
            what: "what is on its way is judged when it has arrived",
            looked_at,
            findings: vec![],
        });
    }
    let seal = match before {
        Before::Forgotten => None,
        _ => Seal::new(reading, open),
    };
    Ok(Judged { invariants, seal })
}

fn mail_domain() -> String {
    std::env::var("MAIL_DOMAIN").unwrap_or_else(|_| notification::MAIL_DOMAIN.to_owned())
}

/// The totals over all parts.
#[derive(Default)]
struct Parts {
    invariants: Vec<Invariant>,
    requests: Requests,
    under_way: usize,
    open: Open,
    /// Number of orders.
    count: usize,
}

/// Judges part by part, as many in parallel as there are processors.
async fn parts(
    reading: &mut Reading,
    databases: &Databases,
    open: Open,
    begun: DateTime<Utc>,
) -> anyhow::Result<Parts> {
    let at_once = std::thread::available_parallelism().map_or(1, NonZero::get);
    let mut parts = Parts { open, ..Parts::default() };
    let (spill, known) = (&reading.spill, &reading.known);
    let mut judged = stream::iter(spill.take())
        .map(|dossiers| part(dossiers, databases, known.clone(), begun))
        .buffer_unordered(at_once);
    while let Some(judgement) = judged.try_next().await? {
        judge::add(&mut parts.invariants, judgement.invariants);
        reading.paid.set_right(&judgement.steps);
        parts.requests.add(judgement.requests);
        parts.under_way += judgement.under_way.len();
        parts.count += judgement.steps.orders.len();
        judgement.under_way.into_iter().for_each(|dossier| parts.open.leave_for_later(dossier));
        judgement.open.into_iter().for_each(|dossier| parts.open.add(dossier));
    }
    Ok(parts)
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
    let users: Vec<i64> = users.into_iter().collect();
    let mut db = databases.of_service(Database::NOTIFICATIONS).acquire().await?;
    let addresses = addresses(&mut db, users.clone()).await?;
    known.buyers.addresses = addresses;
    known.buyers.keys = databases.vault().keys_of(&users).await?;
    // Relative to the start of reading: however long reading took, anything that one source was ahead by counts as recent.
    Ok(tokio::task::spawn_blocking(move || judge::files(dossiers, &known, begun)).await?)
}
