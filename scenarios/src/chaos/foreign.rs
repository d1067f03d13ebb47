//! Work that is parked for orders that nobody placed: what hostile records leave behind, as they should.

use std::{convert::Infallible, time::Duration};

use kit::parked::desk::{self, Done, Signature, Wish};
use uuid::Uuid;

use super::Diary;
use crate::{databases::Databases, stack::Database};

/// Resolves it now and then, as a person would who has looked at it: a slow system reads some of the records late.
///
/// # Errors
/// If a database does not answer.
pub(super) async fn keep_resolving(databases: &Databases, diary: &Diary) -> sqlx::Result<Infallible> {
    loop {
        let resolved = resolve(databases).await?;
        if resolved > 0 {
            diary.note(format!("resolved {resolved} parked records that name orders of nobody"));
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

async fn resolve(databases: &Databases) -> sqlx::Result<usize> {
    let signature = Signature { by: "chaos", note: "a hostile record: nobody placed this order" };
    let mut resolved = 0;
    for database in Database::ALL {
        let pool = databases.of_service(database);
        for work in desk::list(pool).await? {
            if !is_placed(databases, work.order_id).await? {
                let done = desk::act(pool, work.id, Wish::Resolve, signature).await?;
                resolved += usize::from(matches!(done, Done::Yes(_)));
            }
        }
    }
    Ok(resolved)
}

async fn is_placed(databases: &Databases, order: Uuid) -> sqlx::Result<bool> {
    sqlx::query_scalar("select exists (select from orders where id = $1)")
        .bind(order)
        .fetch_one(databases.of_service(Database::Orders))
        .await
}
