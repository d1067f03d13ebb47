//! The audit log of a whole system: operators' acts are in it, none happens without it, and a superuser's hand is noticed.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails as a test does")]

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use saga::outbox::kafka::Cluster;
use scenarios::{
    requests::Client,
    stack::{Program, binary_of, until},
};
use sqlx::{AssertSqlSafe, Connection, PgConnection, postgres::PgConnectOptions};
use tokio::process::{Child, Command};
use transport::Transport;
use uuid::Uuid;

const BOUND: Duration = Duration::from_secs(60);

/// `scenarios up` with its environment file.
struct Up {
    process: Child,
    directory: tempfile::TempDir,
    variables: BTreeMap<String, String>,
}

fn command(program: &Path, directory: &Path) -> Command {
    let mut command = Command::new(program);
    let of_a_system = ["DATABASE_URL", "KAFKA_BROKERS", "AUDIT_", "SECURITY"];
    for (name, _) in std::env::vars().filter(|(name, _)| of_a_system.iter().any(|start| name.starts_with(start))) {
        command.env_remove(name);
    }
    command.current_dir(directory).kill_on_drop(true).env("USER", "ophelia");
    command
}

impl Up {
    async fn start() -> Up {
        let directory = tempfile::tempdir().unwrap();
        let file: PathBuf = directory.path().join("system.env");
        let mut up = command(env!("CARGO_BIN_EXE_scenarios").as_ref(), directory.path());
        up.args(["up", "--broker", "embedded", "--env-file", "system.env"]);
        let process = up.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let read = async || std::fs::read_to_string(&file).ok();
        let text = until("the system is up", Duration::from_secs(120), read).await.unwrap();
        let variables = text.lines().filter_map(|line| line.split_once('='));
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Up { process, directory, variables }
    }

    /// Runs a program against this system, with some variables changed; returns its success and its output.
    async fn runs(&self, program: &Path, changed: &[(&str, &str)], arguments: &[&str]) -> (bool, String) {
        let mut run = command(program, self.directory.path());
        run.envs(&self.variables).envs(changed.iter().copied()).args(arguments);
        let output = tokio::time::timeout(BOUND, run.output()).await.expect("it ends").unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&said).into_owned())
    }

    async fn run_with(&self, changed: &[(&str, &str)], arguments: &[&str]) -> (bool, String) {
        self.runs(env!("CARGO_BIN_EXE_scenarios").as_ref(), changed, arguments).await
    }

    /// Runs the runner, which has to succeed.
    async fn does(&self, arguments: &[&str]) -> String {
        let (success, said) = self.run_with(&[], arguments).await;
        assert!(success, "{arguments:?}:\n{said}");
        said
    }

    /// Runs SQL in the audit log's database as the server's superuser.
    async fn tampers(&self, sql: &str) {
        let server: PgConnectOptions = self.variables["POSTGRES_URL"].parse().unwrap();
        let mut session = PgConnection::connect_with(&server.database("audit")).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut session).await.unwrap();
        session.close().await.unwrap();
    }

    async fn stop(mut self) {
        let pid = nix::unistd::Pid::from_raw(self.process.id().unwrap().try_into().unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
        let status = tokio::time::timeout(BOUND, self.process.wait()).await;
        assert!(status.expect("it stops").unwrap().success());
    }
}

#[tokio::test]
async fn acts_of_operators_are_recorded_and_a_superusers_hand_is_named() {
    let up = Up::start().await;
    let letter = a_dead_letter(&up).await;
    acts_are_in_the_log(&up, &letter).await;
    nothing_is_done_without_a_record(&up, &letter).await;
    a_changed_row_is_named(&up).await;
    up.stop().await;
}

async fn a_dead_letter(up: &Up) -> String {
    let client = Client::new(&Cluster::at(&up.variables["KAFKA_BROKERS"], &Transport::plain())).unwrap();
    client.bare(None, Some(b"one \xff Bitcoin")).await.unwrap();
    let has_letter = async || Some(up.does(&["dlt", "list"]).await).filter(|said| said.contains("Unreadable"));
    let listed = until("there is a dead letter", BOUND, has_letter).await.unwrap();
    listed.split_whitespace().next().unwrap().to_owned()
}

async fn acts_are_in_the_log(up: &Up, letter: &str) {
    let (success, said) = up.run_with(&[], &["audit", "verify"]).await;
    assert!(!success && said.contains("it is new, or it was emptied"), "{said}");
    assert!(up.does(&["audit", "verify", "--empty"]).await.contains("0 entries"));
    up.does(&["dlt", "replay", letter]).await;
    let nobody = Uuid::new_v4().to_string();
    let (success, _) = up.run_with(&[], &["parked", "retry", &nobody, "--note", "try\nagain"]).await;
    assert!(!success, "it is not parked");
    let relay = binary_of(Program::OUTBOX_RELAY).unwrap();
    let database = ("DATABASE_URL", up.variables["DATABASE_URL_ORDERS"].as_str());
    let arguments = ["replay", "--since", "2026-01-01T00:00:00Z", "--publisher", "order", "--note", "disk lost"];
    let (success, said) = up.runs(&relay, &[database], &arguments).await;
    assert!(success, "{said}");

    let said = up.does(&["audit", "list"]).await;
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 7, "{said}");
    let expected = [
        format!("ophelia (unverified)  dlt.replay  dead letter {letter}  began"),
        format!("ophelia (unverified)  dlt.replay  dead letter {letter}  done: published at partition"),
        format!("parked.retry  parked {nobody}  began: try\\nagain"),
        format!("parked.retry  parked {nobody}  failed: is not parked anywhere"),
        "relay.replay  database orders  began: disk lost".to_owned(),
        "relay.replay  database orders  done: ".to_owned(),
    ];
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.contains(&expected), "{expected}:\n{said}");
    }
    assert!(up.does(&["audit", "list", "--object", &nobody]).await.contains("2 entries"));
    let (success, said) = up.run_with(&[], &["audit", "verify", "--remember", "end"]).await;
    assert!(!success && said.contains("say --first"), "{said}");
    let said = up.does(&["audit", "verify", "--remember", "end", "--first"]).await;
    assert!(said.contains("signed heads cover all rows, up to row 6"), "{said}");
}

async fn nothing_is_done_without_a_record(up: &Up, letter: &str) {
    let letters = async || up.does(&["dlt", "list"]).await.lines().count();
    let one_comes_back = async |before: usize| {
        let come = async || (letters().await > before).then_some(());
        until("the replay is a dead letter again", BOUND, come).await.unwrap();
    };
    one_comes_back(2).await;
    let replay = ["dlt", "replay", letter];
    let away = ("AUDIT_DATABASE_URL", "postgres://audit_writer:x@127.0.0.1:1/audit");
    let (success, said) = up.run_with(&[away], &replay).await;
    assert!(!success && said.contains("nothing was done, because it could not be recorded"), "{said}");
    // Without a log, and where security is not required, it goes on and says so. The letter comes back once, not twice.
    let (success, said) = up.run_with(&[("AUDIT_DATABASE_URL", "")], &replay).await;
    assert!(success && said.contains("nothing of this is recorded"), "{said}");
    one_comes_back(3).await;
    assert_eq!(letters().await, 4);
}

async fn a_changed_row_is_named(up: &Up) {
    up.tampers("create table kept as table audit.entries; update audit.entries set actor = 'hamlet' where seq = 3")
        .await;
    let (success, said) = up.run_with(&[], &["audit", "verify"]).await;
    assert!(!success && said.contains("row 3 was changed: its actor no longer give"), "{said}");
    up.tampers(
        "truncate audit.entries; insert into audit.entries select * from kept where seq < 5;
                update audit.chain set last_seq = 4, last_hash = (select hash from kept where seq = 4)",
    )
    .await;
    let (success, said) = up.run_with(&[], &["audit", "verify"]).await;
    assert!(!success && said.contains("cut off after row 4: a signed head knows rows 5 to 6"), "{said}");
    let (success, said) = up.run_with(&[], &["audit", "verify", "--without-heads", "--remember", "end"]).await;
    assert!(!success && said.contains("what an earlier verification remembered knows rows 5 to 6"), "{said}");
    assert!(up.does(&["audit", "verify", "--without-heads"]).await.contains("heads were not looked at"));
}
