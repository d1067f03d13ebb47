//! Durable attempts: calls are made until they are answered, and count once.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
};

use saga::{
    attempts::{self, Answer, Attempt, Outside, RetryPolicy},
    parked::desk::{self, Done, Signature, Wish},
    shutdown::Shutdown,
    testing::{TestDatabase, commit, event},
    unit_of_work::{Incoming, Origin, Outcome},
};
use serde::Deserialize;
use uuid::Uuid;

use crate::{
    eventually,
    toy::{Ask, Command, Counter, Task, database, rows, task},
};

/// Fails this many times, then answers.
struct Moody {
    failures: u32,
    keys: Mutex<HashSet<String>>,
}

impl Outside<Command> for Moody {
    async fn call(&self, attempt: &Attempt) -> Answer<Command> {
        self.keys.lock().expect("nobody panics with it").insert(attempt.idempotency_key.clone());
        if attempt.tries <= self.failures {
            return Answer::Transient(format!("mood {}", attempt.tries));
        }
        Answer::Done(command(attempt, Ask::Answered))
    }

    fn settled(&self, attempt: &Attempt, word: &str) -> Answer<Command> {
        match word {
            "yes" => Answer::Done(command(attempt, Ask::Answered)),
            other => Answer::NeedsPerson(format!("what is {other}?")),
        }
    }

    /// The circuit is open: only attempts that can end without a call are claimed.
    fn room(&self) -> usize {
        if self.failures == 0 { 0 } else { usize::MAX }
    }

    fn gave_up(&self, attempt: &Attempt) -> Command {
        command(attempt, Ask::GaveUp)
    }
}

fn command(attempt: &Attempt, ask: Ask) -> Command {
    Command::new(Task::deserialize(&attempt.request).expect("the toy asks with its order"), ask)
}

/// Makes the calls of an order to an outside that fails `failures` times; returns the attempt's final status and tries.
async fn outcome(db: &TestDatabase, failures: u32, gives_up: bool) -> (Task, String, i32) {
    let work = db.work(Counter);
    let order = task();
    commit(&work, &[event("call", Command::new(order.clone(), Ask::Call { gives_up }))]).await;

    let (stop, shutdown) = Shutdown::by_hand();
    let outside = Arc::new(Moody { failures, keys: Mutex::default() });
    let policy = RetryPolicy { delays_ms: vec![1, 1], longest_ms: 5, patience: 6 };
    let worker = tokio::spawn(attempts::run(work, outside.clone(), policy, shutdown));
    let (status, tries) = eventually("the attempt to end", || async {
        sqlx::query_as("select status, tries from attempts where order_id = $1 and status <> 'open'")
            .bind(order.task_id.0)
            .fetch_optional(db.pool())
            .await
            .expect("attempts can be read")
    })
    .await;
    stop.now();
    worker.await.expect("the worker ends by itself");
    assert_eq!(outside.keys.lock().expect("not poisoned").len(), 1, "every try has the same idempotency key");
    (order, status, tries)
}

#[tokio::test]
async fn a_call_is_made_until_it_is_answered_and_the_answer_is_said_once() {
    let db = database().await;
    for gives_up in [true, false] {
        let (order, status, tries) = outcome(&db, 2, gives_up).await;
        assert_eq!((status.as_str(), tries), ("done", 3));
        assert_eq!(db.said(order.task_id).await, ["Told"]);
    }
}

#[tokio::test]
async fn a_try_gives_up_after_its_delays_and_anything_else_waits_for_a_person() {
    let db = database().await;
    let (order, status, tries) = outcome(&db, 99, true).await;
    assert_eq!((status.as_str(), tries), ("done", 3));
    assert!(db.said(order.task_id).await.is_empty());

    let (order, status, tries) = outcome(&db, 99, false).await;
    assert_eq!((status.as_str(), tries), ("parked", 6));
    assert!(db.said(order.task_id).await.is_empty());
}

#[tokio::test]
async fn what_a_person_has_settled_is_answered_without_a_call_once_and_a_wrong_word_waits_again() {
    let db = database().await;
    let work = db.work(Counter);
    let order = task();
    commit(&work, &[event("call", Command::new(order.clone(), Ask::Call { gives_up: false }))]).await;
    let id: Uuid = sqlx::query_scalar("update attempts set status = 'parked' returning id")
        .fetch_one(db.pool())
        .await
        .expect("parked");
    let (stop, shutdown) = Shutdown::by_hand();
    // The circuit is open: the call could not be made.
    let outside = Arc::new(Moody { failures: 0, keys: Mutex::default() });
    let policy = RetryPolicy { delays_ms: vec![1], longest_ms: 5, patience: 6 };
    let worker = tokio::spawn(attempts::run(work, outside.clone(), policy, shutdown));
    let person = Signature { by: "ophelia", note: "by phone" };
    for (word, status) in [("perhaps", "parked"), ("yes", "done")] {
        let done = desk::act(db.pool(), id, Wish::Answer(word), person).await.expect("acted");
        assert!(matches!(done, Done::Yes(_)), "{done:?}");
        eventually("the answer to be taken", || async {
            sqlx::query_as::<_, (String,)>("select status from attempts where status = $1")
                .bind(status)
                .fetch_optional(db.pool())
                .await
                .expect("attempts can be read")
        })
        .await;
    }
    stop.now();
    worker.await.expect("the worker ends by itself");
    assert!(outside.keys.lock().expect("not poisoned").is_empty(), "no call was made");
    assert_eq!(db.said(order.task_id).await, ["Told"]);
    let again = desk::act(db.pool(), id, Wish::Answer("yes"), person).await.expect("acted");
    assert!(matches!(again, Done::NotNow(_)), "it has its answer: {again:?}");
}

#[tokio::test]
async fn an_attempt_settles_once() {
    let db = database().await;
    let work = db.work(Counter);
    let order = task();
    let call = || event("call", Command::new(order.clone(), Ask::Call { gives_up: false }));
    commit(&work, &[call(), call()]).await;
    commit(&work, &[call()]).await;
    assert_eq!(rows(&db, "attempts").await, 1, "the same call for the same order is one attempt");

    let (id, cause): (Uuid, Option<Uuid>) =
        sqlx::query_as("select id, causation_id from attempts").fetch_one(db.pool()).await.expect("one attempt");
    let cause = cause.map(saga::EventId);
    let answer = || Incoming {
        event_id: None,
        origin: Origin::Attempt { id, cause, given_up: None },
        what: "ask".to_owned(),
        traceparent: None,
        expects: None,
        command: Command::new(order.clone(), Ask::Answered),
    };
    let outcomes = commit(&work, &[answer(), answer()]).await;
    assert!(matches!(outcomes[..], [Outcome::Decided(_), Outcome::Duplicate]), "{outcomes:?}");
    assert_eq!(commit(&work, &[answer()]).await, [Outcome::Duplicate]);
    assert_eq!(db.said(order.task_id).await, ["Told"]);
}
