//! A short run of chaos, always the same: as a user starts it, on Apache Kafka.

#![expect(clippy::print_stdout, reason = "the diary, for whoever runs it with --nocapture")]

use std::{process::Stdio, time::Duration};

use tokio::process::Command;

#[tokio::test]
async fn after_half_a_minute_of_trouble_everything_agrees() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_scenarios"));
    command.args(["chaos", "--broker", "kafka", "--seconds", "24", "--seed", "1"]).kill_on_drop(true);
    command.current_dir(directory.path()).stdin(Stdio::null());
    let output = tokio::time::timeout(Duration::from_secs(300), command.output()).await;
    let output = output.expect("it ends within 300 s").unwrap();
    let said = format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}");
    for trouble in
        ["kill -9", "freeze", "hold a transaction", "crash PostgreSQL", "stop Kafka", "second", "again", "bad"]
    {
        assert!(said.contains(trouble), "this seed should {trouble}:\n{said}");
    }
    assert!(said.contains("lost 0, doubled 0, stuck 0"), "{said}");
    // For whoever wants to know what it went through: cargo test -- --nocapture
    println!("{said}");
}
