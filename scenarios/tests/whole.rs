//! The whole system as a user runs it: the runner's binary, every program a process, a real Apache Kafka.
//!
//! The tests run one at a time: each needs the whole machine.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::Duration,
};

use scenarios::stack::until;
use sqlx::PgPool;
use tokio::{
    io::AsyncWriteExt,
    process::{Child, Command},
    sync::Mutex,
};

static TURN: Mutex<()> = Mutex::const_new(());

/// The runner, in a directory of its own and without a running system in its environment.
fn runner(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scenarios"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("DATABASE_URL") || name == "KAFKA_BROKERS") {
        command.env_remove(name);
    }
    command.current_dir(directory).kill_on_drop(true);
    command
}

async fn run(directory: &Path, arguments: &[&str]) -> Output {
    let run = runner(directory).args(arguments).output();
    tokio::time::timeout(Duration::from_secs(240), run).await.expect("it ends within 240 s").expect("it runs")
}

fn text(output: &Output) -> String {
    format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[tokio::test]
async fn every_scenario_passes_on_apache_kafka() {
    let _turn = TURN.lock().await;
    let directory = tempfile::tempdir().unwrap();
    let output = run(directory.path(), &["run", "all", "--broker", "kafka"]).await;
    assert!(output.status.success(), "{}", text(&output));
    let said = text(&output);
    let tally = format!("{} passed, 0 failed", scenarios::catalogue::ALL.len() + 1);
    assert!(said.contains(&tally), "expected {tally}:\n{said}");
    assert!(said.contains("Apache Kafka 4.1.0"), "{said}");
}

/// A test of the tests: with one compensation removed, scenario and audit must fail.
#[tokio::test]
async fn a_forgotten_compensation_is_noticed() {
    let _turn = TURN.lock().await;
    let directory = tempfile::tempdir().unwrap();
    let output = run(
        directory.path(),
        &["run", "out-of-stock", "purchase", "--without", "account:PaymentVoided", "--patience", "8"],
    )
    .await;
    let said = text(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    // The purchase needs no compensation; the other scenario and the invariants do.
    assert!(said.contains("1 passed, 2 failed"), "{said}");
    assert!(said.contains("account should say BalanceReleased"), "{said}");
    assert!(said.contains("came RESERVED"), "{said}");
}

/// `scenarios up` with its environment file.
struct Up {
    process: Child,
    file: PathBuf,
    directory: tempfile::TempDir,
    variables: BTreeMap<String, String>,
}

impl Up {
    async fn start() -> Up {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("system.env");
        let mut command = runner(directory.path());
        command.args(["up", "--broker", "kafka", "--env-file", "system.env"]);
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let read = async || std::fs::read_to_string(&file).ok();
        let text = until("the system is up", Duration::from_secs(120), read).await.unwrap();
        let variables = text.lines().filter_map(|line| line.split_once('='));
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Up { process, file, directory, variables }
    }

    fn get(&self, name: &str) -> &str {
        self.variables.get(name).unwrap_or_else(|| panic!("the file has no {name}"))
    }

    async fn database(&self, name: &str) -> PgPool {
        PgPool::connect(self.get(&format!("DATABASE_URL_{name}"))).await.unwrap()
    }

    /// The runner against this system.
    async fn run(&self, arguments: &[&str]) -> Output {
        let run = runner(self.directory.path()).envs(&self.variables).args(arguments).output();
        tokio::time::timeout(Duration::from_secs(120), run).await.expect("it ends within 120 s").unwrap()
    }

    /// One of Kafka's own console tools.
    fn console(&self, class: &str) -> Command {
        let mut command = Command::new("java");
        command.args(["-cp", &format!("{}/*", self.get("KAFKA_JARS")), class]);
        command.args(["--bootstrap-server", self.get("KAFKA_BROKERS")]).kill_on_drop(true);
        command
    }

    async fn stop(mut self) {
        let pid = nix::unistd::Pid::from_raw(self.process.id().unwrap().try_into().unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
        let status = tokio::time::timeout(Duration::from_secs(60), self.process.wait()).await;
        assert!(status.expect("it stops within 60 s").unwrap().success());
        assert!(!self.file.exists(), "the file says that a system is up");
    }
}

#[tokio::test]
async fn bare_requests_from_a_console_end_as_they_should() {
    let _turn = TURN.lock().await;
    let up = Up::start().await;

    let mut producer = up.console("org.apache.kafka.tools.ConsoleProducer");
    producer.args(["--topic", "order.requests"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut producer = producer.spawn().unwrap();
    let requests = r#"{"user_id":1,"payment_method_id":1,"items":[{"product_id":1,"quantity":1}]}
{"user_id":2,"payment_method_id":2,"items":[{"product_id":1,"quantity":10}]}
{"user_id":3,"payment_method_id":3,"items":[{"product_id":1,"quantity":15}]}
{"user_id":7,"payment_method_id":7,"items":[{"product_id":7,"quantity":1}]}
"#;
    producer.stdin.take().unwrap().write_all(requests.as_bytes()).await.unwrap();
    assert!(producer.wait().await.unwrap().success());

    let orders = up.database("ORDERS").await;
    let ended = async || {
        let rows: Vec<(i64, String, Option<String>)> =
            sqlx::query_as("select user_id, status, reason from orders order by user_id")
                .fetch_all(&orders)
                .await
                .ok()?;
        (rows.len() == 4 && rows.iter().all(|(_, status, _)| status != "PENDING" && status != "CANCELLING"))
            .then_some(rows)
    };
    let rows = until("all four orders have ended", Duration::from_secs(60), ended).await.unwrap();
    let row = |user: i64, status: &str, reason: Option<&str>| (user, status.to_owned(), reason.map(str::to_owned));
    assert_eq!(
        rows,
        [
            row(1, "COMPLETED", None),
            row(2, "CANCELLED", Some("insufficient_balance")),
            row(3, "CANCELLED", Some("out_of_stock")),
            row(7, "CANCELLED", Some("discontinued")),
        ]
    );

    // The same, in the output of a console consumer.
    let mut consumer = up.console("org.apache.kafka.tools.consumer.ConsoleConsumer");
    consumer.args(["--topic", "order.events", "--from-beginning", "--max-messages", "8", "--timeout-ms", "20000"]);
    consumer.args(["--property", "print.headers=true", "--property", "print.key=true"]);
    let shown = text(&consumer.output().await.unwrap());
    assert_eq!(shown.matches("ce_type:OrderCreated").count(), 4, "{shown}");
    assert_eq!(shown.matches("ce_type:OrderCompleted").count(), 1, "{shown}");
    assert_eq!(shown.matches("ce_type:OrderCancelled").count(), 3, "{shown}");
    assert!(shown.contains(r#""refunded": 50"#), "{shown}");

    let trace_of: uuid::Uuid =
        sqlx::query_scalar("select id from orders where user_id = 7").fetch_one(&orders).await.unwrap();
    let trace = text(&up.run(&["trace", &trace_of.to_string()]).await);
    assert!(trace.contains("EntitlementRejected") && trace.contains("NotificationSent"), "{trace}");
    assert!(!trace.contains("missing"), "{trace}");

    let verified = up.run(&["verify"]).await;
    assert!(verified.status.success(), "{}", text(&verified));
    notices_tampering(&up).await;
    up.stop().await;
}

/// Each is one way in which the books can be wrong; the audit must find all of them.
async fn notices_tampering(up: &Up) {
    let tampering: [(&str, &'static str, &'static str, &str); 6] = [
        (
            "ACCOUNTS",
            "update balances set balance = balance + 1 where user_id = 1",
            "update balances set balance = balance - 1 where user_id = 1",
            "is what was put in",
        ),
        (
            "ACCOUNTS",
            "update balances set reserved_balance = 1 where user_id = 3",
            "update balances set reserved_balance = 0 where user_id = 3",
            "reservations hold 0",
        ),
        (
            "INVENTORY",
            "update stock set stock_quantity = stock_quantity - 1 where product_id = 1",
            "update stock set stock_quantity = stock_quantity + 1 where product_id = 1",
            "product 1:",
        ),
        (
            "PAYMENTS",
            "update payment_transactions set status = 'CONFIRMED' where user_id = 3",
            "update payment_transactions set status = 'CANCELLED' where user_id = 3",
            "its payment is CONFIRMED",
        ),
        (
            "NOTIFICATIONS",
            "update notifications set kind = 'rejection' where kind = 'cancellation'",
            "update notifications set kind = 'cancellation' where kind = 'rejection'",
            "its mail is rejection",
        ),
        (
            "SHIPPING",
            "insert into shipments (order_id, status) values ('00000000-0000-7000-8000-000000000001', 'CANCELLED')",
            "delete from shipments where order_id = '00000000-0000-7000-8000-000000000001'",
            "there is no such order",
        ),
    ];
    for (database, tamper, mend, complaint) in tampering {
        let pool = up.database(database).await;
        sqlx::query(tamper).execute(&pool).await.unwrap();
        let verified = up.run(&["verify", "--wait", "2"]).await;
        assert_eq!(verified.status.code(), Some(1), "{tamper} goes unnoticed:\n{}", text(&verified));
        assert!(text(&verified).contains(complaint), "{tamper}: no word of {complaint:?} in\n{}", text(&verified));
        sqlx::query(mend).execute(&pool).await.unwrap();
    }
    let mended = up.run(&["verify"]).await;
    assert!(mended.status.success(), "{}", text(&mended));
}
