//! Incremental audits: what is found if only the changes since a seal are examined.

use scenarios::{
    audit::{self, Doubts, Marks, Rows, Void},
    stack::{Database, until},
};
use sqlx::PgConnection;

use crate::{running::BOUND, shop::Books};

/// Asserts that the incremental audit finds what the full audit finds.
pub(crate) async fn assert_found(
    db: &mut PgConnection,
    (database, sealed): (Database, &Rows),
    books: &Books,
    change: &str,
) {
    if let Some(doubts) = changes_since(db, database, sealed).await {
        let findings = books.findings_of(|order| doubts.has(*order));
        assert!(!findings.is_empty(), "{change}: found, but not since the seal; doubted are {doubts:?}");
    }
}

/// The seal of a database, once none of its rows counts as new.
pub(crate) async fn seal(db: &mut PgConnection, database: Database) -> Rows {
    let sealed = async || {
        let marks = Marks::of(db, None).await.unwrap();
        let changes = audit::changes(db, database, marks, None).await.unwrap();
        let rows = Rows::new(audit::identity(db).await.unwrap(), marks, changes);
        // Transactions of other tests may be older than the rows written here.
        let Doubts { orders, names, shares } = changes_since(db, database, &rows).await?;
        (orders.is_empty() && names.is_empty() && shares.is_empty()).then_some(rows)
    };
    until("nothing is new", BOUND, sealed).await.unwrap()
}

/// The orders that may have changed; None if all of them may have.
async fn changes_since(db: &mut PgConnection, database: Database, sealed: &Rows) -> Option<Doubts> {
    let marks = Marks::of(db, Some(sealed)).await.unwrap();
    match audit::changes(db, database, marks, Some((sealed, &Doubts::default()))).await {
        Ok(changes) => Some(changes.doubts),
        Err(error) => {
            error.downcast::<Void>().unwrap();
            None
        }
    }
}
