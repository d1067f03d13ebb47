//! Work parked for orders that were never placed: the expected result of hostile records.

use std::time::Duration;

use events::publisher;
use operations::databases::Databases;
use saga::parked::desk::{self, Content, Done, Signature, Wish, Work};
use testbed::{Database, until};
use uuid::Uuid;

use super::Diary;

/// Resolves this work, as an operator would after looking at it, until none is left: events waiting behind it continue only then.
///
/// # Errors
/// If a database does not answer, or work is left after `patience`.
pub(super) async fn resolve(databases: &Databases, diary: &Diary, patience: Duration) -> anyhow::Result<()> {
    let none_is_left = async || match resolve_once(databases, diary).await {
        Ok(left) => (left == 0).then_some(Ok(())),
        Err(error) => Some(Err(error.into())),
    };
    until("no work is parked for orders of nobody", patience, none_is_left).await?
}

/// Resolves what can be resolved now; returns the amount of work found.
async fn resolve_once(databases: &Databases, diary: &Diary) -> sqlx::Result<usize> {
    let signature = Signature { by: "chaos", note: "a hostile record: nobody placed this order" };
    let (mut found, mut resolved) = (0, 0);
    for database in databases.all() {
        let pool = databases.of_service(database);
        for work in desk::list(pool).await? {
            if is_hostile(databases, database, &work).await? {
                let done = desk::act(databases.of_operator(database), work.id, Wish::Resolve, signature).await?;
                found += 1;
                resolved += usize::from(matches!(done, Done::Yes(_)));
            }
        }
    }
    if resolved > 0 {
        diary.note(format!("resolved {resolved} parked records of orders that were never placed"));
    }
    Ok(found)
}

/// Tells whether no placed order has parked work.
pub(super) async fn is_all_that_is_parked(databases: &Databases) -> sqlx::Result<bool> {
    for database in databases.all() {
        for work in desk::list(databases.of_service(database)).await? {
            if is_placed(databases, work.saga_id).await? {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// Tells whether work is parked because of a hostile record: an event on a topic of the shop about an order that was never
/// placed. A service beside the shop may have sagas of its own, and what is parked of these is for the audit to report.
async fn is_hostile(databases: &Databases, database: Database, work: &Work) -> sqlx::Result<bool> {
    if work.kind != "event" || is_placed(databases, work.saga_id).await? {
        return Ok(false);
    }
    if database.is_of_the_shop() {
        return Ok(true);
    }
    let details = desk::find(databases.of_service(database), work.id).await?;
    Ok(details.is_some_and(|details| match details.content {
        Content::Event(record) => publisher::of_topic(&record.topic).is_some(),
        Content::Call { .. } => false,
    }))
}

async fn is_placed(databases: &Databases, order: Uuid) -> sqlx::Result<bool> {
    sqlx::query_scalar("select exists (select from orders where id = $1)")
        .bind(order)
        .fetch_one(databases.of_service(Database::ORDERS))
        .await
}
