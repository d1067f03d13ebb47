//! `payment keys` as operators run it.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use payment::keys::store::Retired;
use sealing::KeyringFile;

use crate::shop::{FIRST, Shop, id};

pub(crate) fn keys(shop: &Shop, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_payment"));
    command.arg("keys").args(arguments).env_clear().stdin(Stdio::null());
    command.env("DATABASE_URL", shop.db.url()).env("PAYMENT_KEYRING", shop.path()).env("PAYMENT_DETAILS_KEY", FIRST);
    command
}

/// What it prints, without the keys: they are never there.
pub(crate) fn shown(shop: &Shop, output: &Output) -> String {
    let text = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat();
    let keyring = fs::read_to_string(shop.path()).expect("readable");
    let secrets = keyring.lines().filter_map(|line| line.split_whitespace().nth(1)).chain([FIRST]);
    secrets.for_each(|secret| assert!(!text.contains(secret), "a key is shown: {text}"));
    text
}

async fn run(shop: &Shop, arguments: &[&str]) -> (bool, String) {
    let mut command = keys(shop, arguments);
    let output = tokio::task::spawn_blocking(move || command.output()).await.expect("it ends").expect("it starts");
    (output.status.success(), shown(shop, &output))
}

async fn succeeds(shop: &Shop, arguments: &[&str], expected: &str) {
    let (success, text) = run(shop, arguments).await;
    assert!(success && text.contains(expected), "{arguments:?}: {text}");
}

async fn fails(shop: &Shop, arguments: &[&str], expected: &str) {
    let (success, text) = run(shop, arguments).await;
    assert!(!success && text.contains(expected), "{arguments:?}: {text}");
}

fn columns(text: &str) -> Vec<Vec<String>> {
    text.lines().skip(1).map(|line| line.split_whitespace().map(str::to_owned).collect()).collect()
}

#[tokio::test]
async fn a_key_is_replaced_step_by_step() {
    let shop = Shop::open().await;
    shop.first_card(1, 1).await;
    shop.card(2, 1).await;
    succeeds(&shop, &["add", "2026-11"], "added").await;
    succeeds(&shop, &["add", "2026-11"], "already there").await;
    fails(&shop, &["retire", "a"], "the key `a` is active").await;
    fails(&shop, &["rotate", "--to", "nobodys"], "payment keys add nobodys").await;
    fails(&shop, &["retire", "v1"], "1 rows need it").await;
    succeeds(&shop, &["rotate", "--to", "2026-11"], "2 rows brought under the key `2026-11`").await;
    succeeds(&shop, &["rotate"], "0 rows").await;
    succeeds(&shop, &["retire", "v1"], "Unset PAYMENT_DETAILS_KEY").await;
    succeeds(&shop, &["retire", "a"], "retired").await;
    succeeds(&shop, &["retire", "a"], "retired").await;
    fails(&shop, &["add", "a"], "has been retired").await;
    fails(&shop, &["add", "v1"], "stands for PAYMENT_DETAILS_KEY").await;
    shop.all_open(&shop.keys()).await;

    let (_, list) = run(&shop, &["list"]).await;
    let expected = [
        vec!["2026-11", "2", "in", "use", "active"],
        vec!["a", "0", "retired", "retired"],
        vec!["b", "0", "in", "use", "readable"],
        vec!["v1", "0", "retired", "set"],
    ];
    assert_eq!(columns(&list), expected, "{list}");
}

#[tokio::test]
async fn a_keyring_that_others_can_read_is_refused() {
    let shop = Shop::open().await;
    fs::set_permissions(shop.path(), Permissions::from_mode(0o644)).expect("changed");
    for arguments in [&["list"][..], &["rotate"], &["add", "c"], &["retire", "b"]] {
        fails(&shop, arguments, &format!("chmod 600 {}", shop.path().display())).await;
    }
}

#[tokio::test]
async fn a_new_database_and_a_new_keyring_are_made_by_the_first_key() {
    let shop = Shop::open().await;
    fs::remove_file(shop.path()).expect("removed");
    shop.db.run("drop schema public cascade; create schema public").await;
    succeeds(&shop, &["add", "first"], "It is active.").await;
    assert_eq!(fs::metadata(shop.path()).expect("created").permissions().mode() & 0o777, 0o600);
    shop.card(1, 1).await;
}

/// A wrong keyring, or an old copy: a fresh key under a known id would open none of its rows.
#[tokio::test]
async fn a_key_that_the_database_knows_is_not_made_anew() {
    let shop = Shop::open().await;
    shop.card(1, 1).await;
    let whole = fs::read_to_string(shop.path()).expect("readable");
    let keyring = |lines: &str| fs::write(shop.path(), lines).expect("written");
    let others = whole.lines().filter(|line| line.starts_with("b ")).collect::<Vec<_>>().join("\n");
    for incomplete in ["", &others] {
        keyring(incomplete);
        fails(&shop, &["add", "a"], "the database knows the key `a`").await;
        assert!(fs::read_to_string(shop.path()).expect("readable") == incomplete, "the keyring has changed");
    }
    fs::remove_file(shop.path()).expect("removed");
    let output = keys(&shop, &["add", "a"]).output().expect("it starts");
    assert!(!output.status.success() && !shop.path().exists(), "a new keyring was made");

    keyring(&others);
    fs::set_permissions(shop.path(), Permissions::from_mode(0o600)).expect("changed");
    assert_eq!(shop.retire("b").await, Retired::Now);
    keyring("");
    fails(&shop, &["add", "b"], "has been retired").await;
    assert!(fs::read_to_string(shop.path()).expect("readable").is_empty(), "a retired id is written to the keyring");
}

/// A power cut during a rotation: every row is under the old key or under the new one.
#[tokio::test]
async fn a_killed_rotation_loses_nothing() {
    let shop = Shop::open().await;
    for method in 1..=200 {
        shop.card(method, 1).await;
    }
    let mut rotation =
        keys(&shop, &["rotate", "--to", "b", "--batch", "1", "--pause-ms", "5"]).spawn().expect("started");
    let begun = Instant::now();
    while !shop.rows().await.iter().any(|(key, rows)| key == "b" && *rows >= 3) {
        assert!(begun.elapsed() < Duration::from_secs(30), "the rotation does not begin within 30 s");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    rotation.kill().expect("killed");
    rotation.wait().expect("ended");
    let rows = shop.rows().await;
    assert!(rows.len() == 2 && rows.iter().map(|(_, rows)| rows).sum::<i64>() == 200, "{rows:?}");
    shop.all_open(&shop.keys()).await;
    fails(&shop, &["retire", "a"], "rows need it").await;
    succeeds(&shop, &["rotate"], "rows brought under the key `b`").await;
    succeeds(&shop, &["retire", "a"], "retired").await;
    assert_eq!(shop.rows().await, [("b".to_owned(), 200)]);
    let fresh = KeyringFile::open(&shop.path()).expect("a keyring");
    assert!(fresh.keyring().key(&id("a")).is_some(), "kept for backups");
    shop.all_open(&shop.keys()).await;
}
