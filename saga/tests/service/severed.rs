//! The response to a commit is lost: the database has committed, and the service does not know it.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};

use saga::{
    attempts::{self, Answer, Attempt, Outside, RetryPolicy},
    shutdown::Shutdown,
    store::Remedy,
    testing::{TestDatabase, event},
    unit_of_work::{Incoming, Outcome, UnitOfWork, Wake},
};
use serde::Deserialize;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::{
    eventually,
    toy::{Ask, Command, Counter, Task, count, database, task},
};

/// A proxy to the database that forwards a commit and breaks when its response arrives.
struct Line {
    address: SocketAddr,
    /// Number of commits whose responses are still to be lost.
    cuts: Arc<AtomicU32>,
}

impl Line {
    async fn to(db: &TestDatabase) -> Self {
        let server: PgConnectOptions = db.url().parse().expect("a URL");
        let server = (server.get_host().to_owned(), server.get_port());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let line = Line { address: listener.local_addr().expect("an address"), cuts: Arc::default() };
        let cuts = line.cuts.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&server).await.expect("Postgres is there");
                tokio::spawn(carry(client, server, cuts.clone()));
            }
        });
        line
    }

    fn lose_answers(&self, how_many: u32) {
        self.cuts.store(how_many, Ordering::SeqCst);
    }

    /// A service whose database is behind the proxy.
    fn work(&self, db: &TestDatabase) -> UnitOfWork<Counter> {
        let options: PgConnectOptions = db.url().parse().expect("a URL");
        let options = options.host("127.0.0.1").port(self.address.port());
        let pool = PgPoolOptions::new().max_connections(4).connect_lazy_with(options);
        UnitOfWork::new(Arc::new(Counter), pool, Wake::default())
    }
}

async fn carry(client: TcpStream, server: TcpStream, cuts: Arc<AtomicU32>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let severed = Arc::new(AtomicBool::new(false));
    let asks = async {
        let mut bytes = [0; 8192];
        while let Ok(length @ 1..) = from_client.read(&mut bytes).await {
            let is_commit = bytes[..length].windows(6).any(|window| window == b"commit");
            let counted = |left: u32| left.checked_sub(1);
            if is_commit && cuts.fetch_update(Ordering::SeqCst, Ordering::SeqCst, counted).is_ok() {
                severed.store(true, Ordering::SeqCst);
            }
            if to_server.write_all(&bytes[..length]).await.is_err() {
                return;
            }
        }
    };
    let answers = async {
        let mut bytes = [0; 8192];
        while let Ok(length @ 1..) = from_server.read(&mut bytes).await {
            // The response is here, so the transaction is committed; the client never sees it.
            if severed.load(Ordering::SeqCst) || to_client.write_all(&bytes[..length]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! { () = asks => {}, () = answers => {} }
}

#[tokio::test]
async fn a_batch_whose_commit_went_unanswered_counts_once() {
    let db = database().await;
    let line = Line::to(&db).await;
    let work = line.work(&db);
    let facts = task();
    let batch: Vec<Incoming<Command>> =
        (0..3).map(|_| event("Wanted", Command::new(facts.clone(), Ask::Count))).collect();

    line.lose_answers(1);
    let staged = work.stage(&batch).await.expect("written");
    let error = staged.commit().await.expect_err("the answer is lost");
    assert_ne!(error.remedy(), Remedy::Park, "{error}: worth another try, for nobody knows what has become of it");

    // As after any failure, the same batch again.
    let staged = work.stage(&batch).await.expect("written");
    assert_eq!(staged.commit().await.expect("committed"), vec![Outcome::Duplicate; 3]);
    assert_eq!(count(&db, facts.task_id).await, Some(300));
    assert_eq!(db.said(facts.task_id).await, ["Counted"; 3]);
}

/// Answers every call.
struct Willing {
    calls: AtomicU32,
}

impl Outside<Command> for Willing {
    async fn call(&self, attempt: &Attempt) -> Answer<Command> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        Answer::Done(Command::new(
            Task::deserialize(&attempt.request).expect("the toy asks with its order"),
            Ask::Answered,
        ))
    }

    fn gave_up(&self, _: &Attempt) -> Command {
        unreachable!("it never fails")
    }
}

#[tokio::test]
async fn an_answer_from_outside_whose_commit_went_unanswered_is_said_once() {
    let db = database().await;
    let line = Line::to(&db).await;
    let work = line.work(&db);
    let facts = task();
    let call = [event("call", Command::new(facts.clone(), Ask::Call { gives_up: false }))];
    let staged = work.stage(&call).await.expect("written");
    staged.commit().await.expect("committed");

    // The worker's only commits are of answers from outside.
    line.lose_answers(2);
    let (stop, shutdown) = Shutdown::by_hand();
    let outside = Arc::new(Willing { calls: AtomicU32::default() });
    let policy = RetryPolicy { delays_ms: vec![1], longest_ms: 5, patience: 6 };
    let worker = tokio::spawn(attempts::run(work, outside.clone(), policy, shutdown));
    eventually("the attempt to end, and the worker to find that it has", || async {
        let done: bool = sqlx::query_scalar("select status = 'done' from attempts where order_id = $1")
            .bind(facts.task_id.0)
            .fetch_one(db.pool())
            .await
            .expect("attempts can be read");
        (done && line.cuts.load(Ordering::SeqCst) == 0).then_some(())
    })
    .await;
    stop.now();
    worker.await.expect("the worker ends by itself");
    assert_eq!(outside.calls.load(Ordering::SeqCst), 1);
    assert_eq!(db.said(facts.task_id).await, ["Told"]);
}
