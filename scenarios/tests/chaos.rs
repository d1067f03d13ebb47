//! Short runs of chaos with fixed seeds, started as a user would, on Apache Kafka.

#![expect(clippy::print_stdout, reason = "the diary, for whoever runs it with --nocapture")]
#![expect(clippy::unwrap_used, reason = "a helper of a test fails as a test does")]

use std::{collections::HashSet, process::Stdio, time::Duration};

use tokio::{process::Command, sync::Mutex};

#[tokio::test]
async fn after_half_a_minute_of_faults_everything_agrees() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("outcome.json");
    chaos(&["--secure", "--seconds", "32", "--seed", "1", "--rate", "15", "--json", file.to_str().unwrap()]).await;
    let outcome: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let kinds: HashSet<&str> = outcome["faults"].as_array().unwrap().iter().filter_map(|kind| kind.as_str()).collect();
    // The number of faults depends on the machine; every kind comes up before any repeats.
    assert!(kinds.len() >= 3, "{outcome:#}");
    assert!(outcome["orders"].as_u64().is_some_and(|orders| orders > 100), "{outcome:#}");
}

/// A run with one fault at a time reports each recovery time.
#[tokio::test]
async fn the_time_until_orders_flow_again_is_told_for_each_kind() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("outcome.json");
    let only = ["--only", "kill-service", "--only", "kill-relay", "--apart"];
    let told = ["--seconds", "12", "--seed", "1", "--rate", "10", "--json", file.to_str().unwrap()];
    chaos(&[only.as_slice(), &told].concat()).await;
    let outcome: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let rows = outcome["recovery"].as_array().unwrap();
    let kinds: Vec<&str> = rows.iter().filter_map(|row| row["fault"].as_str()).collect();
    // A slow machine may have had time for only one of them.
    assert!(!kinds.is_empty() && kinds.iter().all(|kind| ["kill-service", "kill-relay"].contains(kind)), "{outcome:#}");
    assert!(outcome["recovery"][0]["max_ms"].as_u64().is_some_and(|ms| ms > 0), "{outcome:#}");
    assert_eq!(outcome["stuck"], 0);
}

/// Other versions, here copies, come in the order given and go in the reverse order.
#[tokio::test]
async fn a_rolling_change_brings_other_versions_and_takes_them_back() {
    let directory = tempfile::tempdir().unwrap();
    let mut next = Vec::new();
    for name in ["account", "inventory"] {
        let shop = scenarios::stack::Manifest::of_the_shop();
        let binary = scenarios::stack::binary_of(shop.program(name).unwrap()).unwrap();
        let copy = directory.path().join(format!("{name}-next"));
        std::fs::copy(binary, &copy).unwrap();
        next.extend(["--next".to_owned(), format!("{name}={}", copy.display())]);
    }
    let next: Vec<&str> = next.iter().map(String::as_str).collect();
    let only = ["--only", "rolling-change", "--seconds", "1", "--seed", "1", "--rate", "10"];
    let said = chaos(&[&only[..], &next].concat()).await;
    let mut rest = said.as_str();
    for word in [
        "account-next",
        "inventory-next",
        "inventory has been changed back",
        "account has been changed back",
        "1 faults",
    ] {
        let place = rest.find(word).unwrap_or_else(|| panic!("{word} is missing, or not in its place:\n{said}"));
        rest = &rest[place..];
    }
    // What cannot be changed is refused before anything is started.
    for wrong in ["nobody=/bin/true", "payment-gateway=/bin/true", "account=/nowhere", "account"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_scenarios"));
        let output = command.args(["chaos", "--next", wrong]).stdin(Stdio::null()).output().await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains("--next") && !said.contains("starting"), "{wrong}: {said}");
    }
}

/// Runs chaos and asserts what always has to hold; returns its output.
async fn chaos(arguments: &[&str]) -> String {
    // Two systems at once would be slow.
    static ONE_SYSTEM: Mutex<()> = Mutex::const_new(());
    let _alone = ONE_SYSTEM.lock().await;
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_scenarios"));
    command.args(["chaos", "--broker", "kafka"]).args(arguments).kill_on_drop(true);
    command.current_dir(directory.path()).stdin(Stdio::null());
    let output = tokio::time::timeout(Duration::from_secs(400), command.output()).await;
    let output = output.expect("it ends within 400 s").unwrap();
    let said = format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}");
    assert!(said.contains("lost 0, doubled 0, stuck 0"), "{said}");
    // Shown by: cargo test -- --nocapture
    println!("{said}");
    said
}
