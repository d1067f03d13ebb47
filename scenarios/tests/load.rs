//! A small load, from the command line to the page.

use std::{path::Path, time::Duration};

use tokio::process::Command;

/// The runner, in a directory of its own and without a running system in its environment.
async fn load(directory: &Path, arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scenarios"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("DATABASE_URL") || name == "KAFKA_BROKERS") {
        command.env_remove(name);
    }
    let run = command.arg("load").args(arguments).current_dir(directory).kill_on_drop(true).output();
    let output =
        tokio::time::timeout(Duration::from_secs(240), run).await.expect("it ends within 240 s").expect("it runs");
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    (output.status.success(), said)
}

#[tokio::test]
async fn fifty_orders_of_mixed_fate_on_the_embedded_broker() {
    let directory = tempfile::tempdir().unwrap();
    let mix = "happy=60,card=20,no_balance=10,no_stock=10";
    let (held, said) = load(directory.path(), &["--orders", "50", "--broker", "embedded", "--mix", mix]).await;
    assert!(held, "{said}");
    assert!(said.contains("these figures are not a broker's"), "{said}");
    let json = said.lines().find_map(|line| line.strip_prefix("figures:")).expect("it says where the figures are");
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(json.trim()).unwrap()).unwrap();
    let stage = &json["stages"][0];
    let refused: u64 = stage["refused"].as_object().unwrap().values().map(|orders| orders.as_u64().unwrap()).sum();
    assert_eq!(stage["success"].as_u64().unwrap() + refused, 50, "{said}");
    assert!(refused > 0 && stage["failed"] == serde_json::json!({}) && stage["surprises"] == 0, "{said}");
    assert!(json["audit_holds"] == true, "{said}");
}

/// Each request needs its buyer's token.
#[tokio::test]
async fn a_secured_system_takes_a_load() {
    let directory = tempfile::tempdir().unwrap();
    let (held, said) = load(directory.path(), &["--orders", "40", "--broker", "kafka", "--secure"]).await;
    assert!(held && said.contains("40 success"), "{said}");
    // Nothing is asked of the broker that it refuses.
    assert!(!said.contains("authorization failed"), "{said}");
}

#[tokio::test]
async fn more_than_the_embedded_broker_keeps_is_refused_before_anything_is_started() {
    let directory = tempfile::tempdir().unwrap();
    let (held, said) = load(directory.path(), &["--orders", "200000", "--broker", "embedded"]).await;
    assert!(!held && said.contains("more than the embedded broker's memory keeps"), "{said}");
    assert!(!directory.path().join(".scenarios").exists(), "{said}");
}

#[tokio::test]
async fn what_contradicts_itself_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    for arguments in [
        &["light", "--orders", "5"][..],
        &[],
        &["--orders", "5", "--rate", "0"],
        &["--orders", "5", "--rate", "2", "--in-flight", "3"],
    ] {
        let (held, said) = load(directory.path(), arguments).await;
        assert!(!held && said.contains("error:"), "{arguments:?}: {said}");
    }
}
