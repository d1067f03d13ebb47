//! What each role of a database may do, and may not: tried on a real Postgres.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails as a test does")]

#[path = "../generated/mod.rs"]
mod generated;
mod ground;
mod hostile;
mod matrix;
mod misuse;
mod outside;
mod running;

use futures::future::join_all;
use ground::{Ground, services};
use scenarios::stack::Database;

/// A new table, column or function changes the table in the document, and whoever adds it decides who may use it.
#[tokio::test]
async fn each_role_has_the_rights_that_the_document_lists_and_no_others() {
    let databases = services().map(|(database, ..)| database);
    assert_eq!(databases, Database::OF_THE_SHOP);
    let ground = Ground::of(&databases).await;
    let rights = join_all(databases.map(|database| matrix::rights(&ground, database))).await;
    let all: Vec<_> = databases.into_iter().zip(rights).collect();
    generated::part("docs/security/postgres.md", "rights", &matrix::render(&all));
    ground.stop().await;
}
