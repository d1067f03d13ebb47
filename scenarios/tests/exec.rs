//! `scenarios exec`: the command can reach the servers, and its exit code is returned.

use std::{
    io::Read,
    process::{Command, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tempfile::TempDir;

fn exec(script: &str, directory: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scenarios"));
    command.args(["exec", "--broker", "embedded", "--", "sh", "-c", script]).stdin(Stdio::null());
    command.current_dir(directory.path());
    command.env_remove("TEST_DATABASE_URL").env_remove("TEST_KAFKA_BROKERS");
    command
}

#[test]
fn the_command_finds_the_servers_and_decides_the_exit_code() {
    let directory = tempfile::tempdir().unwrap();
    let run = exec("echo $TEST_DATABASE_URL $TEST_KAFKA_BROKERS; exit 7", &directory).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert_eq!(run.status.code(), Some(7), "{err}");
    assert!(out.starts_with("postgres://postgres:"), "{out}");
    assert!(out.contains(" 127.0.0.1:"), "{out}");
    assert!(err.contains("tests run against PostgreSQL "), "{err}");
}

#[test]
fn a_signal_ends_the_command_with_all_that_it_started_and_the_servers() {
    let directory = tempfile::tempdir().unwrap();
    // The pipe's other end stays open while any of its processes is alive.
    let mut run =
        exec("echo begun; sleep 1000 & wait", &directory).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut out = run.stdout.take().unwrap();
    let mut begun = [0; 6];
    out.read_exact(&mut begun).unwrap();
    assert_eq!(&begun, b"begun\n");
    kill(Pid::from_raw(run.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
    out.read_to_end(&mut Vec::new()).unwrap();
    assert_eq!(run.wait().unwrap().code(), Some(128 + Signal::SIGTERM as i32));
}
