//! An operator's work when things go wrong, against a whole system on a real Apache Kafka: parked work, dead letters,
//! reconciling.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails as a test does")]

mod follow;
mod letters;
mod parked_calls;
mod repair_under_load;
mod repairs;
mod torn;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::Duration,
};
use transport::Transport;

use events::publisher;
use rdkafka::{
    Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer},
};
use scenarios::stack::until;
use serde_json::json;
use sqlx::PgPool;
use tokio::process::{Child, Command};
use uuid::Uuid;

const BOUND: Duration = Duration::from_secs(60);

/// `scenarios up` with its environment file.
struct Up {
    process: Child,
    directory: tempfile::TempDir,
    variables: BTreeMap<String, String>,
}

fn runner(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scenarios"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("DATABASE_URL") || name == "KAFKA_BROKERS") {
        command.env_remove(name);
    }
    command.current_dir(directory).kill_on_drop(true);
    command
}

impl Up {
    async fn start() -> Up {
        let directory = tempfile::tempdir().unwrap();
        let file: PathBuf = directory.path().join("system.env");
        let mut command = runner(directory.path());
        command.args(["up", "--broker", "kafka", "--env-file", "system.env"]);
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let read = async || std::fs::read_to_string(&file).ok();
        let text = until("the system is up", Duration::from_secs(120), read).await.unwrap();
        let variables = text.lines().filter_map(|line| line.split_once('='));
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Up { process, directory, variables }
    }

    fn get(&self, name: &str) -> &str {
        self.variables.get(name).unwrap_or_else(|| panic!("the file has no {name}"))
    }

    async fn database(&self, name: &str) -> PgPool {
        PgPool::connect(self.get(&format!("DATABASE_URL_{name}"))).await.unwrap()
    }

    /// Runs the runner against this system; returns its success and its output.
    async fn run(&self, arguments: &[&str]) -> (bool, String) {
        let run = runner(self.directory.path()).envs(&self.variables).env("USER", "ophelia").args(arguments).output();
        let output: Output = tokio::time::timeout(Duration::from_secs(120), run).await.expect("it ends").unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&said).into_owned())
    }

    /// As [`run`](Self::run), but it has to succeed.
    async fn does(&self, arguments: &[&str]) -> String {
        let (success, said) = self.run(arguments).await;
        assert!(success, "{arguments:?}:\n{said}");
        said
    }

    async fn publishes(&self, user: i64, quantity: i64) -> Uuid {
        let (user, quantity) = (user.to_string(), quantity.to_string());
        let arguments =
            ["publish", "--user", &user, "--product", "1", "--quantity", &quantity, "--payment-method", &user];
        self.does(&arguments).await.trim().parse().unwrap()
    }

    async fn stop(mut self) {
        let pid = nix::unistd::Pid::from_raw(self.process.id().unwrap().try_into().unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
        let status = tokio::time::timeout(BOUND, self.process.wait()).await;
        assert!(status.expect("it stops").unwrap().success());
    }
}

async fn ends(orders: &PgPool, order: Uuid, status: &str) {
    let ended = async || {
        let query = sqlx::query_scalar::<_, String>("select status from orders where id = $1").bind(order);
        query.fetch_optional(orders).await.ok()?.filter(|now| now == status)
    };
    until(&format!("order {order} is {status}"), BOUND, ended).await.unwrap();
}

#[tokio::test]
async fn a_person_can_mend_what_went_wrong() {
    let up = Up::start().await;
    follow::hears_topics_that_are_made_later(&up).await;
    parked_work(&up).await;
    parked_calls::are_answered_by_hand(&up).await;
    letters::are_replayed_or_refused(&up).await;
    repair_under_load::harms_nobody(&up).await;
    up.does(&["verify"]).await;
    reconciling(&up).await;
    up.stop().await;
}

async fn parked_work(up: &Up) {
    let (orders, accounts) = (up.database("ORDERS").await, up.database("ACCOUNTS").await);
    let refuse = "alter table balance_reservations add constraint nobody check (user_id <> 1) not valid";
    sqlx::query(refuse).execute(&accounts).await.unwrap();
    let stuck = up.publishes(1, 1).await;
    let is_parked = async || {
        let said = up.does(&["parked", "list"]).await;
        let line = said.lines().find(|line| line.contains(&stuck.to_string()))?.to_owned();
        line.contains("OrderCreated").then_some(line)
    };
    let line = until("the event is parked", BOUND, is_parked).await.unwrap();
    assert!(line.contains("accounts") && line.contains("nobody"), "{line}");
    let id = line.split_whitespace().next().unwrap();

    // Other orders go on.
    ends(&orders, up.publishes(3, 1).await, "COMPLETED").await;
    let (success, said) = up.run(&["verify", "--wait", "1"]).await;
    assert!(!success && said.contains("1 events of accounts are parked"), "{said}");
    let (success, said) = up.run(&["reconcile", "--wait", "1"]).await;
    assert!(success, "an order before its deadline is nobody's business:\n{said}");

    let (success, said) = up.run(&["parked", "resolve", id]).await;
    assert!(!success && said.contains("--note"), "{said}");
    let (success, said) = up.run(&["parked", "resolve", id, "--note", "never mind"]).await;
    assert!(!success && said.contains("is PENDING, and waits for what follows"), "{said}");
    assert!(said.contains(&format!("scenarios parked retry {id}")), "it says what to do instead: {said}");
    let (success, said) = up.run(&["parked", "answer", id, "--as", "captured"]).await;
    assert!(!success && said.contains("only calls have an answer"), "{said}");
    sqlx::query("alter table balance_reservations drop constraint nobody").execute(&accounts).await.unwrap();
    assert!(up.does(&["parked", "retry", id, "--note", "constraint dropped"]).await.contains("is tried again"));
    ends(&orders, stuck, "COMPLETED").await;
    assert!(up.does(&["parked", "retry", id]).await.contains("is settled: nothing to do"));
    let shown = up.does(&["parked", "show", id]).await;
    assert!(
        shown.contains("retry by ophelia (unverified): constraint dropped") && shown.contains("\"order_id\""),
        "{shown}"
    );
    assert!(up.does(&["parked", "list"]).await.contains("0 parked"));
}

async fn reconciling(up: &Up) {
    let (orders, accounts) = (up.database("ORDERS").await, up.database("ACCOUNTS").await);
    let cancelled = up.publishes(3, 15).await;
    ends(&orders, cancelled, "CANCELLED").await;
    let rejected = up.publishes(2, 10).await;
    ends(&orders, rejected, "CANCELLED").await;
    up.does(&["verify"]).await;
    assert!(up.does(&["reconcile", "--grace", "1"]).await.contains("0 findings"));

    // The order service has missed that the money came back.
    let forget =
        "update orders set status = 'CANCELLING', money = 'open', deadline = now() - interval '1 hour' where id = $1";
    sqlx::query(forget).bind(cancelled).execute(&orders).await.unwrap();
    // The same for another order, which only the account service knows: that takes more than one event.
    sqlx::query(forget).bind(rejected).execute(&orders).await.unwrap();
    // A third order is missing altogether, although its money is held.
    let vanished = up.publishes(3, 15).await;
    ends(&orders, vanished, "CANCELLED").await;
    for vanish in ["delete from order_items where order_id = $1", "delete from orders where id = $1"] {
        sqlx::query(vanish).bind(vanished).execute(&orders).await.unwrap();
    }
    // The account service has missed that it should release them.
    let hold = "with held as (update balance_reservations set status = 'RESERVED' where order_id = $1 returning user_id, amount)
                update balances b set reserved_balance = reserved_balance + held.amount from held
                where b.user_id = held.user_id and currency = 'JPY'";
    for held in [cancelled, vanished] {
        sqlx::query(hold).bind(held).execute(&accounts).await.unwrap();
    }
    // The gateway holds money without a payment.
    let charge = Uuid::now_v7();
    let url = format!("{}/v1/payments/{charge}/authorize", up.get("GATEWAY_URL"));
    let body = json!({ "amount": 700, "currency": "JPY", "token": "tok_stray" });
    let http = Transport::plain().http().unwrap().build().unwrap();
    let answer = http.post(url).header("idempotency-key", charge.to_string()).json(&body).send().await.unwrap();
    assert!(answer.status().is_success(), "{answer:?}");
    // And Kafka has lost all events of the account service.
    lose(up.get("KAFKA_BROKERS").to_owned(), publisher::ACCOUNT.topic()).await;

    // A buyer has no mail.
    let untold = up.publishes(3, 1).await;
    ends(&orders, untold, "COMPLETED").await;
    let notifications = up.database("NOTIFICATIONS").await;
    until("the mail is sent", BOUND, async || {
        let sent = "delete from notifications where order_id = $1 and sent_at is not null";
        (sqlx::query(sent).bind(untold).execute(&notifications).await.ok()?.rows_affected() == 1).then_some(())
    })
    .await
    .unwrap();
    sqlx::query("delete from attempts where order_id = $1").bind(untold).execute(&notifications).await.unwrap();
    sqlx::query("update orders set deadline = now() - interval '1 hour' where id = $1")
        .bind(untold)
        .execute(&orders)
        .await
        .unwrap();

    // Events lost on Kafka are found; an order that has just changed is left alone for a while.
    let (_, said) = up.run(&["reconcile", "--wait", "2"]).await;
    assert!(said.contains("1 findings") && said.contains("are not on Kafka"), "{said}");
    until("nothing has happened for a while", BOUND, async || {
        let quiet = "select min(now() - updated_at) > interval '2 seconds' from orders";
        sqlx::query_scalar::<_, bool>(quiet).fetch_one(&orders).await.ok()?.then_some(())
    })
    .await
    .unwrap();
    let (success, said) = up.run(&["reconcile", "--wait", "2", "--grace", "1"]).await;
    assert!(!success, "{said}");
    for finding in [
        &format!("order {cancelled} is CANCELLING") as &str,
        "would say PaymentVoided on payment.events",
        "events in the outbox of accounts are not on Kafka",
        "would publish again what accounts said",
        &format!("would void the charge {charge}"),
        &format!("order {rejected} is CANCELLING"),
        "would say BalanceRejected on account.events",
        &format!("order {untold} is COMPLETED, and its buyer has no mail"),
        "would say OrderCompleted on order.events",
        &format!("order {vanished} has a balance reservation, but there is no such order"),
        "6 findings; nothing was changed",
    ] {
        assert!(said.contains(finding), "no {finding:?} in\n{said}");
    }
    let said = up.does(&["reconcile", "--repair", "--wait", "10", "--grace", "1"]).await;
    assert!(said.contains("0 findings left"), "{said}");
    repairs_are_in_the_audit_log(up, &[cancelled, rejected, vanished, untold], charge).await;
    for order in [cancelled, rejected, vanished] {
        ends(&orders, order, "CANCELLED").await;
    }
    let held: i64 =
        sqlx::query_scalar("select sum(reserved_balance)::bigint from balances").fetch_one(&accounts).await.unwrap();
    assert_eq!(held, 0);
    assert!(up.does(&["reconcile", "--grace", "0"]).await.contains("0 findings"));
    let told: Option<String> = sqlx::query_scalar("select kind from notifications where order_id = $1")
        .bind(untold)
        .fetch_optional(&notifications)
        .await
        .unwrap();
    assert_eq!(told.as_deref(), Some("receipt"), "the mail is written");
    for (order, why) in [(cancelled, "out_of_stock"), (rejected, "insufficient_balance"), (vanished, "out_of_stock")] {
        let reason: String =
            sqlx::query_scalar("select reason from orders where id = $1").bind(order).fetch_one(&orders).await.unwrap();
        assert_eq!(reason, why, "no reason is made up");
    }
}

/// Each repair has its intent and its outcome, by the operator who has run the command.
async fn repairs_are_in_the_audit_log(up: &Up, orders: &[Uuid], charge: Uuid) {
    let said = up.does(&["audit", "list"]).await;
    let objects = orders.iter().map(|order| format!("order {order}"));
    for object in objects.chain([format!("charge {charge}"), "database accounts".to_owned()]) {
        for outcome in ["began: ", "done"] {
            let expected = format!("reconcile.repair  {object}  {outcome}");
            assert!(said.contains(&expected), "no {expected:?} in\n{said}");
        }
    }
    assert!(up.does(&["audit", "verify"]).await.contains("signed heads cover all rows"));
}

/// Drops every record of a topic.
async fn lose(brokers: String, topic: &'static str) {
    let config = Transport::plain().kafka(&brokers);
    let ends = tokio::task::spawn_blocking({
        let config = config.clone();
        move || {
            let client: BaseConsumer = config.create().unwrap();
            let metadata = client.fetch_metadata(Some(topic), BOUND).unwrap();
            let mut ends = TopicPartitionList::new();
            for partition in metadata.topics()[0].partitions() {
                let (_, high) = client.fetch_watermarks(topic, partition.id(), BOUND).unwrap();
                ends.add_partition_offset(topic, partition.id(), Offset::Offset(high)).unwrap();
            }
            ends
        }
    });
    let admin: AdminClient<DefaultClientContext> = config.create().unwrap();
    admin.delete_records(&ends.await.unwrap(), &AdminOptions::new()).await.unwrap();
}
