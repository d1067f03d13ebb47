//! A program in a process of its own: this test binary, started again.

use std::{
    io::Read,
    process::{Child as Process, Command as Start, ExitStatus, Stdio},
    sync::mpsc::Receiver,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use saga::{
    Deadlines, Program, SagaId,
    attempts::{Answer, Attempt, Outside, RetryPolicy},
    config::Config,
};
use serde::Deserialize;
use sqlx::PgPool;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use uuid::Uuid;

use crate::toy::{Ask, Command, Counter, MIGRATIONS, Task, task};

/// Not a test: runs the program if a test has started this binary for it.
#[test]
#[ignore = "started by the tests beside it"]
fn program() {
    let config = Config::from_arguments(["counter"]).expect("arguments");
    let ended = process::main(async {
        let policy = RetryPolicy { delays_ms: vec![10], longest_ms: 100, patience: 100 };
        let program = Program::new(Counter, config, &MIGRATIONS)?;
        program.outside(Willing, policy).deadlines(Due, Duration::from_millis(50)).run().await
    });
    if let Err(error) = ended {
        eprintln!("Error: {error:#}");
        std::process::exit(1);
    }
}

/// Answers every call.
struct Willing;

impl Outside<Command> for Willing {
    async fn call(&self, attempt: &Attempt) -> Answer<Command> {
        let order = Task::deserialize(&attempt.request).expect("the toy asks with its order");
        Answer::Done(Command::new(order, Ask::Answered))
    }

    fn gave_up(&self, _: &Attempt) -> Command {
        unreachable!("it never fails")
    }
}

/// Counts the orders of the table `due`.
struct Due;

impl Deadlines<Command> for Due {
    const WHAT: &'static str = "due";

    async fn due(&self, pool: &PgPool, aside: &[SagaId]) -> sqlx::Result<Vec<Command>> {
        let due: Vec<Uuid> = sqlx::query_scalar(
            "select task_id from due where task_id <> all($1)
                and not exists (select from counts where counts.task_id = due.task_id) limit 100",
        )
        .bind(aside.iter().map(|order| order.0).collect::<Vec<_>>())
        .fetch_all(pool)
        .await?;
        let facts = |id| Task { task_id: SagaId(id), ..task() };
        Ok(due.into_iter().map(|id| Command::new(facts(id), Ask::Count)).collect())
    }
}

/// A running program; stopped when this value is dropped.
pub(crate) struct Child {
    process: Process,
    port: u16,
    /// Reads its standard error to the end.
    heard: Option<Receiver<String>>,
}

impl Child {
    /// Starts a program; `settings` are added to its environment.
    pub(crate) fn start(database_url: &str, settings: &[(&str, &str)]) -> Self {
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = free.local_addr().expect("an address").port();
        drop(free);
        let mut start = Start::new(std::env::current_exe().expect("this binary"));
        start
            .args(["--exact", "child::program", "--ignored", "--nocapture"])
            .env("DATABASE_URL", database_url)
            .env("KAFKA_BROKERS", crate::kafka().brokers())
            .env("KAFKA_PARTITIONS", "2")
            .env("HTTP_ADDR", format!("127.0.0.1:{port}"))
            .env("DATABASE_TIMEOUT_MS", "1500")
            .envs(settings.iter().copied())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut process = start.spawn().expect("started");
        let mut errors = process.stderr.take().expect("it is heard");
        let (hear, heard) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let mut words = String::new();
            let _ = errors.read_to_string(&mut words);
            let _ = hear.send(words);
        });
        Child { process, port, heard: Some(heard) }
    }

    /// Answer to a GET: status and body; `None` without an answer.
    pub(crate) async fn get(&self, path: &str) -> Option<(u16, String)> {
        let asking = async {
            let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.ok()?;
            let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).await.ok()?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.ok()?;
            let status = answer.split(' ').nth(1)?.parse().ok()?;
            Some((status, answer.split_once("\r\n\r\n")?.1.to_owned()))
        };
        tokio::time::timeout(Duration::from_secs(5), asking).await.ok().flatten()
    }

    pub(crate) async fn until_ready(&self) {
        crate::eventually("the program to be ready", async || {
            self.get("/readyz").await.filter(|(status, _)| *status == 200)
        })
        .await;
    }

    /// Waits until it reports that it is not ready; returns that report.
    pub(crate) async fn until_not_ready(&self) -> String {
        let said = crate::eventually("the program not to be ready", async || {
            self.get("/readyz").await.filter(|(status, _)| *status == 503)
        });
        said.await.1
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.process.id().cast_signed()), signal).expect("it is there");
    }

    /// Waits until it has ended; returns the end of its log as well.
    pub(crate) async fn ended(&mut self) -> (ExitStatus, String) {
        let heard = self.heard.take().expect("it ends once");
        let heard = tokio::task::spawn_blocking(move || heard.recv_timeout(Duration::from_secs(60)));
        let words = heard.await.expect("no panic").expect("it ends");
        (self.process.wait().expect("it has ended"), words)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if let Ok(None) = self.process.try_wait() {
            self.signal(Signal::SIGTERM);
            // It leaves its group at once, and is not left running either.
            if let Some(heard) = self.heard.take() {
                let words = heard.recv_timeout(Duration::from_secs(15)).unwrap_or_default();
                if std::thread::panicking() {
                    eprintln!("the program said:\n{words}");
                }
            }
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }
}
