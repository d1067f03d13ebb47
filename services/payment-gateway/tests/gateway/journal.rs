//! Books in a file survive the program.

use std::{fs, io::Write};

use axum::http::StatusCode;
use payment_gateway::books::Books;
use serde_json::json;
use uuid::Uuid;

use crate::client::Client;

#[tokio::test]
async fn a_restarted_gateway_keeps_its_books_and_its_answers() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("ledger.jsonl");
    let (paid, voided) = (Uuid::now_v7(), Uuid::now_v7());

    let before = Client::new(Books::in_file(&file).expect("a new file"));
    let first = before.authorize(paid, "a", 100, "tok_visa").await;
    before.post(paid, "capture", "c", "").await;
    before.post(voided, "void", "v", "").await;
    before.authorize(Uuid::now_v7(), "d", 100, "tok_declined").await;
    let ledger = before.get("/v1/ledger").await;
    drop(before);

    let after = Client::new(Books::in_file(&file).expect("the same file"));
    assert_eq!(after.get("/v1/ledger").await, ledger);
    assert_eq!(after.authorize(paid, "a", 100, "tok_visa").await, first);
    assert_eq!(after.authorize(paid, "a", 200, "tok_visa").await.0, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(after.authorize(voided, "late", 100, "tok_visa").await.0, StatusCode::CONFLICT);
    assert_eq!(after.post(paid, "refund", "r", "").await.1["state"], "refunded");
}

#[tokio::test]
async fn a_line_that_was_not_finished_is_cut_off() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("ledger.jsonl");
    let client = Client::new(Books::in_file(&file).expect("a new file"));
    client.authorize(Uuid::now_v7(), "a", 100, "tok_visa").await;
    drop(client);
    let whole = fs::read_to_string(&file).expect("readable");
    let mut torn = fs::OpenOptions::new().append(true).open(&file).expect("writable");
    torn.write_all(&whole.as_bytes()[..whole.len() / 2]).expect("written");

    let client = Client::new(Books::in_file(&file).expect("the torn file"));
    assert_eq!(client.get("/v1/ledger").await.1["totals"]["JPY"]["authorized"], 100);
    assert_eq!(fs::read_to_string(&file).expect("readable"), whole);
    client.authorize(Uuid::now_v7(), "b", 50, "tok_visa").await;
    assert_eq!(fs::read_to_string(&file).expect("readable").lines().count(), 2);
}

#[test]
fn a_file_that_is_no_ledger_is_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("ledger.jsonl");
    fs::write(&file, "a letter to a friend\n").expect("written");
    let error = format!("{:#}", Books::in_file(&file).expect_err("no ledger"));
    assert!(error.contains("line 1 of") && error.contains("is not a record"), "{error}");
    assert_eq!(fs::read_to_string(&file).expect("readable"), "a letter to a friend\n");
}

#[test]
fn a_file_belongs_to_one_gateway() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("ledger.jsonl");
    let _first = Books::in_file(&file).expect("a new file");
    let error = format!("{:#}", Books::in_file(&file).expect_err("taken"));
    assert!(error.contains("does another gateway use it?"), "{error}");
}

#[test]
fn the_lines_of_earlier_versions_stay_readable_and_lose_their_tokens() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("ledger.jsonl");
    let id = Uuid::now_v7();
    let line = json!({
        "at": "2025-01-01T00:00:00Z",
        "request": {
            "idempotency_key": "k",
            "payment_id": id,
            "command": {"operation": "authorize", "amount": 7, "currency": "JPY", "token": "tok_declined"},
        },
        "verdict": {"becomes": "authorized"},
    });
    fs::write(&file, format!("{line}\n")).expect("written");
    for _ in 0..2 {
        let books = Books::in_file(&file).expect("readable");
        assert_eq!(books.statement(None).totals["JPY"].authorized, 7);
        assert!(books.payment(id).is_some());
        assert!(Books::in_file(&file).is_err(), "the new file is locked as well");
    }
    let text = fs::read_to_string(&file).expect("readable");
    assert!(text.contains("sha256:") && !text.contains("tok_declined") && text.lines().count() == 1, "{text}");
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1, "nothing is left behind");
}

/// The token of a card is in the request alone.
#[tokio::test]
async fn no_token_gets_into_the_file_or_into_an_answer() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("ledger.jsonl");
    let client = Client::new(Books::in_file(&file).expect("a new file"));
    let id = Uuid::now_v7();
    let mut answers = vec![client.authorize(id, "a", 100, "tok_canary").await.1];
    answers.push(client.authorize(id, "b", -1, "tok_canary").await.1);
    let odd = json!({"amount": "tok_canary", "currency": "JPY", "token": "tok_canary"});
    answers.push(client.post(Uuid::now_v7(), "authorize", "c", odd).await.1);
    answers.push(client.get("/v1/ledger").await.1);
    assert!(!answers.iter().any(|answer| answer.to_string().contains("canary")), "{answers:?}");
    let text = fs::read_to_string(&file).expect("readable");
    assert!(text.contains(&id.to_string()) && !text.contains("canary"), "{text}");
}

/// The file records who paid what. It is closed even if an earlier version has made it readable to all.
#[test]
fn nobody_else_on_the_machine_can_read_the_file() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().expect("a directory");
    let (new, old) = (directory.path().join("new.jsonl"), directory.path().join("old.jsonl"));
    std::fs::write(&old, "").expect("written");
    std::fs::set_permissions(&old, std::fs::Permissions::from_mode(0o644)).expect("open to all");
    for file in [new, old] {
        let _books = Books::in_file(&file).expect("an empty ledger");
        assert_eq!(std::fs::metadata(&file).expect("it is there").permissions().mode() & 0o777, 0o600);
    }
}
