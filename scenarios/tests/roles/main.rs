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

use std::fs;

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

/// The tests that the document names are there.
#[test]
fn the_document_names_tests_that_exist() {
    let page = fs::read_to_string(generated::in_project("docs/security/postgres.md")).unwrap();
    let named: Vec<(&str, &str)> = page.split('`').filter_map(|word| word.split_once(".rs::")).collect();
    for (path, test) in &named {
        let source = fs::read_to_string(generated::in_project(&format!("{path}.rs")))
            .unwrap_or_else(|error| panic!("{path}: {error}"));
        assert!(source.contains(&format!("fn {test}()")), "{path}.rs::{test}");
    }
    assert!(named.len() > 15, "{named:?}");
}
