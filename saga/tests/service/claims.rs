//! Claims of calls to the outside: by claimants that die, freeze or are slow, and with open circuits.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use saga::{
    SagaId,
    attempts::{self, Answer, Attempt, Outside, RetryPolicy},
    shutdown::{Shutdown, Stop},
    testing::{TestDatabase, commit, event},
};
use serde::Deserialize;
use sqlx::Connection;
use tokio::{sync::Notify, task::JoinHandle};

use crate::{
    eventually,
    toy::{Ask, Command, Counter, Task, database, task},
    within,
};

/// Lets all callers wait until the test sets the answer.
#[derive(Default)]
struct Slow {
    answers: Mutex<VecDeque<Reply>>,
    told: Notify,
    under_way: AtomicUsize,
    most_under_way: AtomicUsize,
    /// Concurrency; 0 means the default.
    concurrency: usize,
    /// True while the circuit is open.
    closed_to_all: AtomicBool,
}

#[derive(Clone, Copy, PartialEq)]
enum Reply {
    Yes,
    NotNow,
    Never,
    Panic,
}

impl Slow {
    fn answer(&self, replies: impl IntoIterator<Item = Reply>) {
        self.answers.lock().expect("not poisoned").extend(replies);
        self.told.notify_waiters();
    }

    async fn reply(&self) -> Reply {
        loop {
            let told = self.told.notified();
            if let Some(reply) = self.answers.lock().expect("not poisoned").pop_front() {
                return reply;
            }
            told.await;
        }
    }
}

impl Outside<Command> for Slow {
    async fn call(&self, attempt: &Attempt) -> Answer<Command> {
        if self.closed_to_all.load(Ordering::SeqCst) {
            return Answer::NotCalled("left alone".to_owned());
        }
        let under_way = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_under_way.fetch_max(under_way, Ordering::SeqCst);
        let reply = self.reply().await;
        self.under_way.fetch_sub(1, Ordering::SeqCst);
        match reply {
            Reply::Yes => Answer::Done(command(attempt, Ask::Answered)),
            Reply::NotNow => Answer::Transient("not now".to_owned()),
            Reply::Never => Answer::NeedsPerson("never".to_owned()),
            Reply::Panic => panic!("the client stumbled"),
        }
    }

    fn concurrency(&self) -> usize {
        if self.concurrency == 0 { 64 } else { self.concurrency }
    }

    fn room(&self) -> usize {
        if self.closed_to_all.load(Ordering::SeqCst) { 0 } else { usize::MAX }
    }

    fn gave_up(&self, attempt: &Attempt) -> Command {
        // Differs from what the toy publishes when it gives up, so that a test can tell them apart.
        command(attempt, Ask::Answered)
    }
}

fn command(attempt: &Attempt, ask: Ask) -> Command {
    Command::new(Task::deserialize(&attempt.request).expect("the toy asks with its order"), ask)
}

/// A process that makes calls.
struct Worker {
    outside: Arc<Slow>,
    stop: Stop,
    task: JoinHandle<()>,
}

impl Worker {
    fn start(db: &TestDatabase, outside: Slow) -> Self {
        let (stop, shutdown) = Shutdown::by_hand();
        let outside = Arc::new(outside);
        let policy = RetryPolicy { delays_ms: vec![1], longest_ms: 5, patience: 3 };
        let task = tokio::spawn(attempts::run(db.work(Counter), outside.clone(), policy, shutdown));
        Worker { outside, stop, task }
    }

    /// Waits until this many calls are in progress.
    async fn calls(&self, how_many: usize) {
        let under_way = || async { (self.outside.under_way.load(Ordering::SeqCst) == how_many).then_some(()) };
        eventually(&format!("{how_many} calls under way"), under_way).await;
    }

    /// Only the kernel closes its connections; nothing else happens.
    async fn kill(self) {
        self.task.abort();
        assert!(self.task.await.expect_err("aborted").is_cancelled());
    }

    async fn end(self) {
        self.stop.now();
        within("the worker to end", self.task).await.expect("the worker ends by itself");
    }
}

async fn ask(db: &TestDatabase, gives_up: bool) -> SagaId {
    let order = task();
    let call = Command::new(order.clone(), Ask::Call { gives_up });
    commit(&db.work(Counter), &[event("call", call)]).await;
    order.task_id
}

type Row = (String, i32, Option<i64>, bool);

/// The attempt's status, tries and claimant, and whether it is postponed.
async fn row(db: &TestDatabase, order: SagaId) -> Row {
    sqlx::query_as("select status, tries, claimed_by, next_at > now() from attempts where order_id = $1")
        .bind(order.0)
        .fetch_one(db.pool())
        .await
        .expect("attempts can be read")
}

async fn status(db: &TestDatabase, order: SagaId, wanted: &str) -> Row {
    eventually(wanted, || async { Some(row(db, order).await).filter(|row| row.0 == wanted) }).await
}

/// A claim of another process, valid for this time.
async fn claimed_by(db: &TestDatabase, order: SagaId, claimant: i64, lease: &'static str) {
    sqlx::query(
        "update attempts set claimed_by = $2, tries = tries + 1, next_at = now() + $3::interval, updated_at = now()
         where order_id = $1",
    )
    .bind(order.0)
    .bind(claimant)
    .bind(lease)
    .execute(db.pool())
    .await
    .expect("claimed");
}

#[tokio::test]
async fn the_calls_of_a_process_that_was_killed_are_made_again_before_their_lease_ends() {
    let db = database().await;
    let order = ask(&db, false).await;
    let killed = Worker::start(&db, Slow::default());
    killed.calls(1).await;
    sqlx::query("update attempts set next_at = now() + interval '60 s'")
        .execute(db.pool())
        .await
        .expect("a long lease");
    killed.kill().await;

    let other = Worker::start(&db, Slow::default());
    other.calls(1).await;
    other.outside.answer([Reply::Yes]);
    assert_eq!(status(&db, order, "done").await.1, 2);
    assert_eq!(db.said(order).await, ["Told"]);
    other.end().await;
}

/// A process that is frozen, or whose machine is lost, still has its session.
#[tokio::test]
async fn the_calls_of_a_process_that_gives_no_sign_are_made_again_when_their_lease_ends() {
    let db = database().await;
    let order = ask(&db, false).await;
    let mut frozen = sqlx::PgConnection::connect(&db.url()).await.expect("connected");
    sqlx::query("select pg_advisory_lock(4711)").execute(&mut frozen).await.expect("locked");
    claimed_by(&db, order, 4711, "3 s").await;
    let worker = Worker::start(&db, Slow::default());
    worker.calls(1).await;
    let (over, still_locked): (bool, bool) =
        sqlx::query_as("select now() - created_at >= interval '3 s', not pg_try_advisory_lock(4711) from attempts")
            .fetch_one(db.pool())
            .await
            .expect("asked");
    assert!(over && still_locked, "not before: over {over}, locked {still_locked}");
    worker.outside.answer([Reply::Yes]);
    status(&db, order, "done").await;
    worker.end().await;
}

#[tokio::test]
async fn a_claim_is_renewed_while_its_call_is_under_way() {
    let db = database().await;
    let order = ask(&db, false).await;
    let worker = Worker::start(&db, Slow::default());
    worker.calls(1).await;
    sqlx::query("update attempts set next_at = now() + interval '1 s'")
        .execute(db.pool())
        .await
        .expect("a short lease");
    eventually("a longer lease", || async {
        let renewed: bool = sqlx::query_scalar("select next_at > now() + interval '2 s' from attempts")
            .fetch_one(db.pool())
            .await
            .expect("asked");
        renewed.then_some(())
    })
    .await;
    worker.outside.answer([Reply::Yes]);
    assert_eq!(status(&db, order, "done").await.1, 1, "called once");
    worker.end().await;
}

#[tokio::test]
async fn what_somebody_else_has_claimed_is_neither_put_off_nor_parked_nor_given_up() {
    let db = database().await;
    let mut other = sqlx::PgConnection::connect(&db.url()).await.expect("connected");
    sqlx::query("select pg_advisory_lock(42)").execute(&mut other).await.expect("locked");
    // A temporary refusal, a permanent one, and for a Try the last refusal.
    for (gives_up, replies) in
        [(false, vec![Reply::NotNow]), (false, vec![Reply::Never]), (true, vec![Reply::NotNow, Reply::NotNow])]
    {
        let order = ask(&db, gives_up).await;
        let slow = Worker::start(&db, Slow::default());
        let (last, before) = replies.split_last().expect("a reply");
        slow.outside.answer(before.iter().copied());
        eventually("the last call", || async {
            let tries = row(&db, order).await.1 as usize;
            (tries == replies.len() && slow.outside.under_way.load(Ordering::SeqCst) == 1).then_some(())
        })
        .await;
        claimed_by(&db, order, 42, "60 s").await;
        let claimed = row(&db, order).await;
        slow.outside.answer([*last]);
        slow.end().await;
        assert_eq!(row(&db, order).await, claimed);
        assert!(db.said(order).await.is_empty());
        sqlx::query("delete from attempts").execute(db.pool()).await.expect("deleted");
    }
}

#[tokio::test]
async fn an_answer_counts_whoever_has_claimed_the_call_meanwhile_and_once() {
    let db = database().await;
    let order = ask(&db, true).await;
    let slow = Worker::start(&db, Slow::default());
    slow.calls(1).await;
    sqlx::query("update attempts set next_at = now(), claimed_by = null").execute(db.pool()).await.expect("released");
    let other = Worker::start(&db, Slow::default());
    // Either of them may claim it: then both make the call, or the slow one makes it twice.
    eventually("another call", || async {
        let calls = [&slow, &other].map(|worker| worker.outside.under_way.load(Ordering::SeqCst));
        (calls.iter().sum::<usize>() == 2).then_some(())
    })
    .await;
    for worker in [&slow, &other] {
        worker.outside.answer([Reply::Yes, Reply::Yes]);
    }
    status(&db, order, "done").await;
    slow.end().await;
    other.end().await;
    assert_eq!(db.said(order).await, ["Told"]);
}

#[tokio::test]
async fn no_more_is_claimed_than_can_begin() {
    let db = database().await;
    for _ in 0..6 {
        ask(&db, false).await;
    }
    let worker = Worker::start(&db, Slow { concurrency: 2, ..Slow::default() });
    let claimed = async || -> i64 {
        sqlx::query_scalar("select count(*) from attempts where status = 'open' and claimed_by is not null")
            .fetch_one(db.pool())
            .await
            .expect("counted")
    };
    worker.calls(2).await;
    assert_eq!(claimed().await, 2);
    for _ in 0..5 {
        worker.outside.answer([Reply::Yes]);
        assert!(claimed().await <= 2);
    }
    worker.outside.answer([Reply::Yes]);
    eventually("all of them", || async {
        let open: i64 = sqlx::query_scalar("select count(*) from attempts where status = 'open'")
            .fetch_one(db.pool())
            .await
            .expect("counted");
        (open == 0).then_some(())
    })
    .await;
    assert_eq!(worker.outside.most_under_way.load(Ordering::SeqCst), 2);
    worker.end().await;
}

#[tokio::test]
async fn while_the_other_side_is_left_alone_only_trys_are_claimed() {
    let db = database().await;
    let (confirm, a_try) = (ask(&db, false).await, ask(&db, true).await);
    let outside = Slow { closed_to_all: AtomicBool::new(true), ..Slow::default() };
    let worker = Worker::start(&db, outside);
    // Its tries are used up, and the toy publishes an event about that.
    assert_eq!(status(&db, a_try, "done").await.1, 2);
    assert_eq!(db.said(a_try).await, ["Told"]);
    assert_eq!(row(&db, confirm).await, ("open".to_owned(), 0, None, false), "not touched");

    worker.outside.closed_to_all.store(false, Ordering::SeqCst);
    worker.outside.answer([Reply::Yes]);
    assert_eq!(status(&db, confirm, "done").await.1, 1);
    worker.end().await;
}

#[tokio::test]
async fn a_call_that_panics_has_failed() {
    let db = database().await;
    let order = ask(&db, false).await;
    let worker = Worker::start(&db, Slow::default());
    worker.outside.answer([Reply::Panic; 3]);
    assert_eq!(status(&db, order, "parked").await, ("parked".to_owned(), 3, None, true));
    worker.end().await;
}

/// The database's clock was a year ahead when the attempt was postponed.
#[tokio::test]
async fn a_call_that_was_put_off_by_a_wrong_clock_is_made() {
    let db = database().await;
    let order = ask(&db, false).await;
    sqlx::query("update attempts set next_at = now() + interval '1 year'").execute(db.pool()).await.expect("put off");
    let worker = Worker::start(&db, Slow::default());
    worker.outside.answer([Reply::Yes]);
    status(&db, order, "done").await;
    worker.end().await;
}
