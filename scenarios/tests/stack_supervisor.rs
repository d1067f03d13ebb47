//! A supervised program: ready when it says so, restarted when it dies, stopped on request.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails as a test does")]

use std::{os::unix::fs::PermissionsExt, path::Path, time::Duration};
use transport::Transport;

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use scenarios::stack::{Launch, Life, Reporter, Supervisor, until};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const BOUND: Duration = Duration::from_secs(20);

fn launch(directory: &TempDir, script: &str) -> Launch {
    Launch {
        transport: Transport::plain(),
        name: "program".to_owned(),
        binary: "/bin/sh".into(),
        arguments: vec!["-c".into(), script.into()],
        variables: vec![("GREETING".to_owned(), "good morning".to_owned())],
        log: directory.path().join("program.log"),
    }
}

fn supervise(launch: Launch) -> Supervisor {
    Supervisor::start(launch, Reporter::silent(), |_| {}).unwrap()
}

async fn alive(supervisor: &Supervisor, condition: impl Fn(Life) -> bool) -> Life {
    until("the program lives", BOUND, async || Some(supervisor.life()).filter(|&life| condition(life))).await.unwrap()
}

#[tokio::test]
async fn is_started_again_when_it_is_killed_and_stopped_when_asked() {
    let directory = tempfile::tempdir().unwrap();
    let supervisor = supervise(launch(&directory, "echo \"$GREETING\"; exec sleep 1000"));
    let first = alive(&supervisor, |life| life.pid.is_some()).await.pid.unwrap();
    kill(Pid::from_raw(first.try_into().unwrap()), Signal::SIGKILL).unwrap();
    let second = alive(&supervisor, |life| life.pid.is_some_and(|pid| pid != first)).await;
    assert_eq!(second.deaths, 1);

    supervisor.stop().await.unwrap();
    assert!(!Path::new(&format!("/proc/{}", second.pid.unwrap())).exists());
    let log = std::fs::read_to_string(directory.path().join("program.log")).unwrap();
    assert!(log.starts_with("good morning\n"), "{log}");
}

#[tokio::test]
async fn is_killed_with_its_supervisor() {
    let directory = tempfile::tempdir().unwrap();
    let supervisor = supervise(launch(&directory, "exec sleep 1000"));
    let pid = alive(&supervisor, |life| life.pid.is_some()).await.pid.unwrap();
    drop(supervisor);
    let process = format!("/proc/{pid}");
    until("the program is gone", BOUND, async || (!Path::new(&process).exists()).then_some(())).await.unwrap();
}

#[tokio::test]
async fn is_ready_when_it_answers_so() {
    let directory = tempfile::tempdir().unwrap();
    let supervisor = supervise(launch(&directory, "exec sleep 1000"));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    // The test answers in the program's place: first not ready, then ready.
    let server = tokio::spawn(async move {
        for status in ["503 Service Unavailable", "200 OK"] {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            let length = stream.read(&mut request).await.unwrap();
            assert!(request[..length].starts_with(b"GET /readyz "));
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    supervisor.ready(&url, BOUND).await.unwrap();
    server.await.unwrap();
    supervisor.stop().await.unwrap();
}

#[tokio::test]
async fn one_that_does_not_become_ready_is_quoted() {
    let directory = tempfile::tempdir().unwrap();
    let supervisor = supervise(launch(&directory, "exec sleep 1000"));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _request = stream.read(&mut [0; 1024]).await.unwrap();
            let answer =
                "HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\n\r\nnot ready: consumer: no partitions\n";
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    let error = format!("{:#}", supervisor.ready(&url, Duration::from_secs(1)).await.unwrap_err());
    assert!(error.contains("503 Service Unavailable, not ready: consumer: no partitions"), "{error}");
    server.abort();
    supervisor.stop().await.unwrap();
}

#[tokio::test]
async fn one_that_says_nothing_is_described_by_what_the_kernel_knows() {
    let directory = tempfile::tempdir().unwrap();
    let supervisor = supervise(launch(&directory, "exec sleep 1000"));
    let error = supervisor.ready("http://127.0.0.1:1", Duration::from_secs(1)).await.unwrap_err();
    let error = format!("{error:#}");
    assert!(error.contains("(sleep) is S (sleeping)"), "{error}");
    supervisor.stop().await.unwrap();
}

#[tokio::test]
async fn one_that_dies_again_and_again_is_given_up_with_its_last_words() {
    let directory = tempfile::tempdir().unwrap();
    let supervisor = supervise(launch(&directory, "echo no database; exit 3"));
    let error = format!("{:#}", supervisor.ready("http://127.0.0.1:1", BOUND).await.unwrap_err());
    assert!(error.contains("program died"), "{error}");
    assert!(error.contains("no database"), "{error}");
    supervisor.stop().await.unwrap();
}

#[tokio::test]
async fn is_exchanged_for_another_version_which_is_restarted_from_then_on() {
    let directory = tempfile::tempdir().unwrap();
    let supervisor = supervise(launch(&directory, "echo one; exec sleep 1000"));
    let log = directory.path().join("program.log");
    // A program may say its word before the supervisor has noted its life.
    let has_said = async |words: &[&str], (deaths, exchanges): (u32, u32), former: Option<u32>| {
        let said = async || {
            let life = supervisor.life();
            let is_noted = (life.deaths, life.exchanges) == (deaths, exchanges) && life.pid != former;
            (std::fs::read_to_string(&log).ok()?.lines().collect::<Vec<_>>() == words && is_noted).then_some(life.pid)
        };
        until("the program has said its word", BOUND, said).await.unwrap()
    };
    let first = has_said(&["one"], (0, 0), None).await.unwrap();
    let other = directory.path().join("two");
    std::fs::write(&other, "#!/bin/sh\necho \"two: $GREETING\"\nexec sleep 1000\n").unwrap();
    std::fs::set_permissions(&other, std::fs::Permissions::from_mode(0o755)).unwrap();

    let exchange = supervisor.exchange();
    exchange.to(other.clone()).await.unwrap();
    assert!(!Path::new(&format!("/proc/{first}")).exists(), "the first has ended before");
    let two = "two: good morning";
    // It was asked for, and so is no death.
    let second = has_said(&["one", two], (0, 1), Some(first)).await;
    kill(Pid::from_raw(second.unwrap().try_into().unwrap()), Signal::SIGKILL).unwrap();
    let third = has_said(&["one", two, two], (1, 1), second).await;
    // The same again is a restart.
    exchange.to(other).await.unwrap();
    has_said(&["one", two, two, two], (1, 2), third).await;
    supervisor.stop().await.unwrap();
    assert!(exchange.to("/bin/true".into()).await.is_err(), "nobody is there to exchange it");
}
