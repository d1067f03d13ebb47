//! Follows docs/TUTORIAL.md word by word: writes its files and runs its commands one after the other in one shell, in an empty
//! folder outside the workspace. Changes nothing in the repository.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

/// Most of the time goes into compiling the libraries again, outside the workspace.
const BOUND: Duration = Duration::from_secs(1200);

/// A step of the tutorial.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// A file with its content.
    File(String, String),
    /// A shell command.
    Command(String),
}

/// The steps of a page. A block after a line that names a file is the file's content; in a `console` block, a line that begins
/// with `$ ` is a command, which a backslash continues.
fn steps(page: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let (mut named, mut lines) = (None, page.lines());
    while let Some(line) = lines.next() {
        let Some(language) = line.strip_prefix("```") else {
            let name = line.strip_prefix('`').and_then(|line| line.strip_suffix("`:"));
            named = name.map(str::to_owned).or(named.filter(|_| line.is_empty()));
            continue;
        };
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        match named.take() {
            Some(name) => steps.push(Step::File(name, block.join("\n") + "\n")),
            None if language == "console" => {
                let mut block = block.into_iter();
                while let Some(line) = block.next() {
                    let Some(command) = line.strip_prefix("$ ") else { continue };
                    let mut command = command.to_owned();
                    while command.ends_with('\\') {
                        command.push('\n');
                        command.push_str(block.next().expect("a backslash is followed by a line"));
                    }
                    steps.push(Step::Command(command));
                }
            }
            None => {}
        }
    }
    steps
}

/// A single script: each command is announced, and the first failure ends the script and everything that it has started.
fn script(steps: &[Step]) -> String {
    let mut script = String::from("set -eu\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n");
    for step in steps {
        match step {
            Step::File(name, text) => {
                let folder = Path::new(name).parent().expect("a file has a folder").display().to_string();
                script.push_str(&format!("mkdir -p './{folder}'\ncat >'{name}' <<'END-OF-FILE'\n{text}END-OF-FILE\n"));
            }
            Step::Command(command) => {
                script.push_str(&format!("cat <<'END-OF-COMMAND'\n$ {command}\nEND-OF-COMMAND\n{command}\n"));
            }
        }
    }
    script
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the repository is there")
}

/// The repository as version control sees it, without build output.
fn fingerprint() -> [Vec<u8>; 2] {
    [&["status", "--porcelain"][..], &["diff"]]
        .map(|arguments| Command::new("git").args(arguments).current_dir(root()).output().expect("git runs").stdout)
}

#[test]
fn files_and_commands_are_told_apart_and_the_rest_is_prose() {
    let page = "Text.\n\n`a/b.rs`:\n\n```rust\nfn a() {}\n```\n\n```toml\nno = 1\n```\n\n```console\n$ one\nits output\n$ two \\\n    three\n```\n";
    let file = Step::File("a/b.rs".into(), "fn a() {}\n".into());
    assert_eq!(steps(page), [file, Step::Command("one".into()), Step::Command("two \\\n    three".into())]);
}

#[tokio::test]
async fn a_newcomer_who_follows_the_tutorial_has_a_service_that_takes_part() {
    let page = fs::read_to_string(root().join("docs/TUTORIAL.md")).expect("the tutorial is there");
    let steps = steps(&page);
    assert!(steps.iter().filter(|step| matches!(step, Step::Command(_))).count() > 15, "{steps:?}");
    let programs = Path::new(env!("CARGO_BIN_EXE_scenarios")).parent().expect("beside other programs");
    // Test builds of the programs, on free ports of this machine.
    let mut text = script(&steps).replace("$SAGA/target/release", &programs.display().to_string());
    let binary = root().join("target/debug/loyalty").display().to_string();
    text = text.replace("binary = \"target/debug/loyalty\"", &format!("binary = \"{binary}\""));
    for port in ["9090", "9091"] {
        let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port");
        text = text.replace(&format!("127.0.0.1:{port}"), &free.to_string());
    }
    let folder = tempfile::tempdir().expect("a folder");
    // The same profile and target directory, so that common dependencies are compiled once.
    let profile = "[profile.dev]\ndebug = \"line-tables-only\"\n[profile.dev.package.\"*\"]\ndebug = false\n";
    fs::create_dir(folder.path().join(".cargo")).expect("a folder");
    fs::write(folder.path().join(".cargo/config.toml"), profile).expect("written");
    fs::write(folder.path().join("follow.sh"), text).expect("written");
    let before = fingerprint();

    let log = fs::File::create(folder.path().join("log")).expect("a log");
    let mut shell = tokio::process::Command::new("bash");
    shell.arg(folder.path().join("follow.sh")).current_dir(root()).env("TMPDIR", folder.path());
    shell.env("CARGO_TARGET_DIR", root().join("target")).env("CARGO_NET_OFFLINE", "true").process_group(0);
    // Nothing from the test's own system or from the cargo that runs the tests.
    let foreign = |name: &str| {
        let ours = ["KAFKA_", "DATABASE_URL", "TEST_", "CARGO_PKG_", "CARGO_MANIFEST", "CARGO_BIN_", "ORDER_API"];
        ours.iter().any(|prefix| name.starts_with(prefix))
    };
    std::env::vars().filter(|(name, _)| foreign(name)).for_each(|(name, _)| _ = shell.env_remove(name));
    let shell = shell.stdin(Stdio::null()).stdout(log.try_clone().expect("a log")).stderr(log).spawn();
    let mut shell = shell.expect("bash is there");
    let status = tokio::time::timeout(BOUND, shell.wait()).await.ok().map(|ended| ended.expect("the shell is ours"));
    if let (None, Some(id)) = (status, shell.id()) {
        let group = nix::unistd::Pid::from_raw(-i32::try_from(id).expect("a process id"));
        let _ = nix::sys::signal::kill(group, nix::sys::signal::Signal::SIGTERM);
    }
    let said = fs::read_to_string(folder.path().join("log")).expect("a log");
    let mut logs = String::new();
    for made in fs::read_dir(folder.path()).expect("a folder").flatten().filter(|made| made.path().is_dir()) {
        for name in ["up.log", "loyalty.log", "relay.log"] {
            let text = fs::read_to_string(made.path().join(name)).unwrap_or_default();
            logs.push_str(&format!("--- {name}\n{text}\n"));
        }
    }
    assert!(status.is_some_and(|status| status.success()), "{status:?}\n{said}\n{logs}");
    for expected in [
        // Its table, the order's flow with its event, and its place in the diagram.
        "\"service\": \"loyalty\"",
        "order -- \"OrderCompleted\" --> loyalty",
        "       1 | t",
        "(1 row)",
        // Shaken as a part of the system.
        "Kafka has what the outboxes of further services have, and nothing else  loyalty: ",
    ] {
        assert!(said.contains(expected), "`{expected}` is missing:\n{said}\n{logs}");
    }
    let heard = said.lines().find(|line| line.contains("PointsAwarded ") && line.contains("  loyalty "));
    assert!(heard.is_some_and(|line| line.contains("points ")), "no trace of its event:\n{said}\n{logs}");
    assert_eq!(fingerprint(), before, "nothing of the repository is changed");
}
