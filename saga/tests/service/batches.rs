//! One batch, one transaction.

use saga::{
    EventId, StoreError,
    store::Remedy,
    testing::{commit, event, event_with_id},
    unit_of_work::{Outcome, Staged},
};

use crate::toy::{Ask, Command, Counter, Task, count, database, rows, task};

fn some_order() -> Task {
    task()
}

fn counting(order: &Task) -> Command {
    Command::new(order.clone(), Ask::Count)
}

fn duplicates(outcomes: &[Outcome]) -> Vec<bool> {
    outcomes.iter().map(|outcome| *outcome == Outcome::Duplicate).collect()
}

fn refused(staged: Result<Staged, StoreError>) -> StoreError {
    staged.err().expect("the batch is refused")
}

#[tokio::test]
async fn nothing_of_a_batch_is_there_before_its_commit_and_all_of_it_after() {
    let db = database().await;
    let work = db.work(Counter);
    let (one, other) = (some_order(), some_order());
    let batch = [event("one", counting(&one)), event("other", counting(&other))];

    let staged = work.stage(&batch).await.expect("staged");
    for table in ["inbox", "counts", "outbox"] {
        assert_eq!(rows(&db, table).await, 0, "{table} before the commit");
    }
    drop(staged);
    assert_eq!(duplicates(&commit(&work, &batch).await), [false, false], "a batch given up has left no trace");
    for table in ["inbox", "counts", "outbox"] {
        assert_eq!(rows(&db, table).await, 2, "{table} after the commit");
    }
}

#[tokio::test]
async fn events_of_one_order_are_folded_in_their_order_and_say_what_caused_what() {
    let db = database().await;
    let order = some_order();
    let ids: Vec<EventId> = (0..5).map(|_| EventId::new()).collect();
    // Not in id order: what counts is the order of arrival.
    let came: Vec<EventId> = [3, 0, 4, 1, 2].map(|place| ids[place]).to_vec();
    let batch: Vec<_> = came.iter().map(|&id| event_with_id(id, "count", counting(&order))).collect();
    commit(&db.work(Counter), &batch).await;

    assert_eq!(count(&db, order.task_id).await, Some(500));
    let causes: Vec<uuid::Uuid> =
        sqlx::query_scalar("select causationid from outbox order by seq").fetch_all(db.pool()).await.expect("read");
    assert_eq!(causes.into_iter().map(EventId).collect::<Vec<_>>(), came);
}

#[tokio::test]
async fn an_event_counts_once_within_a_batch_and_across_batches() {
    let db = database().await;
    let work = db.work(Counter);
    let order = some_order();
    let id = EventId::new();
    let again = || event_with_id(id, "count", counting(&order));

    assert_eq!(duplicates(&commit(&work, &[again(), again()]).await), [false, true]);
    assert_eq!(duplicates(&commit(&work, &[again(), event("more", counting(&order))]).await), [true, false]);
    assert_eq!(duplicates(&commit(&work, &[again()]).await), [true]);
    assert_eq!(count(&db, order.task_id).await, Some(200));
    assert_eq!(db.said(order.task_id).await.len(), 2);
}

/// Two instances with the same event at the same time: the second waits for the first and then recognises the duplicate.
#[tokio::test]
async fn an_event_in_two_instances_at_once_counts_once() {
    let db = database().await;
    let work = db.work(Counter);
    let order = some_order();
    let id = EventId::new();

    let first = work.stage(&[event_with_id(id, "count", counting(&order))]).await.expect("staged");
    let second = tokio::spawn({
        let (work, batch) = (work.clone(), [event_with_id(id, "count", counting(&order))]);
        async move { commit(&work, &batch).await }
    });
    db.until_blocked().await;
    first.commit().await.expect("committed");
    assert_eq!(duplicates(&second.await.expect("no panic")), [true]);
    assert_eq!(count(&db, order.task_id).await, Some(100));
}

/// Two events that both create the row of a new order: the slower one has to load again.
#[tokio::test]
async fn a_row_that_somebody_else_inserted_first_is_met_again() {
    let db = database().await;
    let work = db.work(Counter);
    let order = some_order();
    let slower = [event("slower", counting(&order))];

    let first = work.stage(&[event("first", counting(&order))]).await.expect("staged");
    let second = tokio::spawn({
        let (work, batch) = (work.clone(), [event("slower", counting(&order))]);
        async move { work.stage(&batch).await.err() }
    });
    db.until_blocked().await;
    first.commit().await.expect("committed");
    let error = second.await.expect("no panic").expect("raced");
    assert!(matches!(error, StoreError::Raced("counts")), "{error}");
    assert_eq!(error.remedy(), Remedy::Again);

    commit(&work, &slower).await;
    assert_eq!(count(&db, order.task_id).await, Some(200));
}

#[tokio::test]
async fn one_bad_event_leaves_nothing_of_its_batch_and_says_that_it_has_to_be_put_aside() {
    let db = database().await;
    let work = db.work(Counter);
    let too_much = Task { total: 1001, ..some_order() };
    let too_large = Task { words: Some("far ".repeat(300_000)), ..some_order() };
    for (bad, why) in [
        (Command::new(some_order(), Ask::Panic), "the counter stumbled"),
        (counting(&too_much), "check constraint"),
        (counting(&too_large), "the limit is"),
    ] {
        let batch = [event("good", counting(&some_order())), event("bad", bad)];
        let error = refused(work.stage(&batch).await);
        assert_eq!(error.remedy(), Remedy::Park, "{error}");
        assert!(error.to_string().contains(why), "{error}");
        for table in ["inbox", "counts", "outbox"] {
            assert_eq!(rows(&db, table).await, 0, "{table} after: {error}");
        }
    }
}
