//! A database that falls silent under a whole program.

use nix::sys::signal::Signal;

use crate::{
    ALONE,
    child::Child,
    eventually,
    line::Line,
    publish,
    toy::{count, desk::Asked, desk::Wanted, task},
    with_deadlines,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_database_stops_neither_events_nor_calls_nor_deadlines_for_long() {
    let _alone = ALONE.lock().await;
    let db = with_deadlines().await;
    let line = Line::to(&db).await;
    let program = Child::start(&line.url(&db), &[]);
    program.until_ready().await;

    for round in 0..2 {
        line.silence();
        let (counted, called, due) = (task(), task(), task());
        publish(&Wanted { task: counted.clone() }, "silence").await;
        publish(&Asked { task: called.clone() }, "silence").await;
        sqlx::query("insert into due values ($1)").bind(due.task_id.0).execute(db.pool()).await.expect("due");
        eventually("the event", async || count(&db, counted.task_id).await).await;
        eventually("the deadline", async || count(&db, due.task_id).await).await;
        eventually("the call", async || (db.said(called.task_id).await == ["Told"]).then_some(())).await;
        program.until_ready().await;
        assert_eq!(db.said(counted.task_id).await.len(), 1, "round {round}: counted once");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_follows_progress_and_a_database_that_is_away_is_no_reason_to_be_restarted() {
    let _alone = ALONE.lock().await;
    let db = with_deadlines().await;
    let line = Line::to(&db).await;
    let program = Child::start(&line.url(&db), &[]);
    program.until_ready().await;
    line.swallow_all();
    let why = program.until_not_ready().await;
    assert!(why.starts_with("not ready: ") && why.contains("for "), "{why}");
    assert_eq!(program.get("/livez").await.map(|(status, _)| status), Some(200));
    let (_, metrics) = program.get("/metrics").await.expect("metrics");
    assert!(metrics.contains("loop_last_progress_seconds{loop=\"consumer\"}"), "{metrics}");
    line.heal();
    program.until_ready().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_is_asked_to_stop_ends_whatever_it_waits_for() {
    let _alone = ALONE.lock().await;
    let db = with_deadlines().await;
    let line = Line::to(&db).await;
    // Longer than the bound for stopping: the program waits in vain for the database all that time.
    let mut program = Child::start(&line.url(&db), &[("DATABASE_TIMEOUT_MS", "600000")]);
    program.until_ready().await;
    line.swallow_all();
    publish(&Wanted { task: task() }, "stop").await;
    let waiting = async || program.get("/metrics").await?.1.contains("batch_events_count").then_some(());
    eventually("the batch to be under way", waiting).await;
    let asked = std::time::Instant::now();
    program.signal(Signal::SIGTERM);
    let (status, words) = program.ended().await;
    assert!(asked.elapsed() < std::time::Duration::from_secs(20), "{:?}", asked.elapsed());
    assert!(!status.success() && words.contains("did not stop within") && words.contains("the consumer"), "{words}");
}
