//! Work that is parked for orders that nobody placed: what hostile records leave behind, as they should.

use kit::parked::desk::{self, Done, Signature, Wish};
use uuid::Uuid;

use crate::{databases::Databases, stack::Database};

/// Resolves it, as a person would who has looked at it. How much there was.
///
/// # Errors
/// If a database does not answer.
pub(super) async fn resolve(databases: &Databases) -> sqlx::Result<usize> {
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
