//! The whole shop on a guarded broker: every program has what it needs, and has it from the tables alone.

use std::{
    collections::BTreeMap,
    path::Path,
    process::{Output, Stdio},
    time::Duration,
};

use scenarios::stack::until;
use tokio::process::{Child, Command};

const STARTS_WITHIN: Duration = Duration::from_secs(120);

struct Up {
    process: Child,
    directory: tempfile::TempDir,
    variables: BTreeMap<String, String>,
}

impl Up {
    async fn start() -> Up {
        let directory = tempfile::tempdir().unwrap();
        let mut command = runner(directory.path());
        command.args(["up", "--broker", "kafka", "--guarded", "--env-file", "system.env"]);
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let read = async || std::fs::read_to_string(directory.path().join("system.env")).ok();
        let text = until("the system is up", STARTS_WITHIN, read).await.unwrap();
        let pair = |line: &str| {
            line.split_once('=').map(|(name, value)| (name.to_owned(), value.trim_matches('\'').to_owned()))
        };
        Up { process, variables: text.lines().filter_map(pair).collect(), directory }
    }

    /// Runs a command with an operator's credentials, or with another user's.
    async fn does(&self, user: Option<&str>, arguments: &[&str]) -> String {
        let mut command = runner(self.directory.path());
        command.envs(&self.variables);
        if let Some(user) = user {
            let file = Path::new(&self.variables["KAFKA_SASL_PASSWORD_FILE"]).with_file_name(user);
            command.env("KAFKA_SASL_USERNAME", user).env("KAFKA_SASL_PASSWORD_FILE", file);
        }
        let run = tokio::time::timeout(STARTS_WITHIN, command.args(arguments).output()).await;
        let Output { status, stdout, stderr } = run.unwrap().unwrap();
        let said = String::from_utf8(stdout).unwrap();
        assert!(status.success(), "{arguments:?} as {user:?}: {said}{}", String::from_utf8_lossy(&stderr));
        said
    }
}

fn runner(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scenarios"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("DATABASE_URL") || name == "KAFKA_BROKERS") {
        command.env_remove(name);
    }
    command.current_dir(directory).kill_on_drop(true);
    command
}

#[tokio::test]
async fn the_shop_needs_no_right_that_its_tables_do_not_name() {
    let mut up = Up::start().await;
    // Dead letters included: malformed requests are a scenario, too.
    let said = up.does(None, &["run", "all"]).await;
    assert!(said.contains(", 0 failed"), "{said}");
    assert!(
        up.does(
            Some("client"),
            &["publish", "--user", "1", "--product", "1", "--quantity", "1", "--payment-method", "1"]
        )
        .await
        .len()
            > 30
    );
    up.does(None, &["verify"]).await;
    assert!(!up.does(None, &["dlt", "list"]).await.contains("\n0 dead letters"));
    assert_eq!(up.does(Some("client"), &["dlt", "list"]).await, "0 dead letters\n", "a client sees none of them");
    let verified = up.does(Some("admin"), &["acl", "verify"]).await;
    assert!(
        verified.ends_with("\n0 findings\n") && verified.contains("super.users, which the broker does not show"),
        "{verified}"
    );

    let pid = nix::unistd::Pid::from_raw(i32::try_from(up.process.id().unwrap()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    let status = tokio::time::timeout(STARTS_WITHIN, up.process.wait()).await;
    assert!(status.expect("it stops").unwrap().success());
}
