//! A silent database, and sessions abandoned by their client: neither blocks others for long.

use saga::transport::Transport;
use std::{sync::Arc, time::Duration};

use clap::Parser;
use saga::{
    StoreError,
    config::Database,
    sessions::Sessions,
    store::Remedy,
    testing::{TestDatabase, commit, event},
    unit_of_work::{Incoming, Outcome, UnitOfWork, Wake},
};

use crate::{
    line::Line,
    toy::{Ask, Command, Counter, count, database, task},
    within,
};

/// Short, so that the tests are fast.
const BOUND_MS: &str = "1500";

#[derive(clap::Parser)]
struct Args {
    #[command(flatten)]
    database: Database,
}

fn sessions(url: &str) -> Sessions {
    let arguments = ["counter", "--database-url", url, "--database-timeout-ms", BOUND_MS];
    Args::parse_from(arguments).database.sessions("counter", &Transport::plain()).expect("sessions")
}

fn work(sessions: Sessions) -> UnitOfWork<Counter> {
    UnitOfWork::new(Arc::new(Counter), sessions, Wake::default())
}

fn counting() -> Incoming<Command> {
    event("Wanted", Command::new(task(), Ask::Count))
}

async fn sessions_of(db: &TestDatabase) -> i64 {
    let count =
        "select count(*) from pg_stat_activity where datname = current_database() and application_name = 'counter'";
    sqlx::query_scalar(count).fetch_one(db.pool()).await.expect("counted")
}

#[tokio::test]
async fn a_unit_of_work_on_a_silent_line_ends_and_the_next_has_another_line() {
    let db = database().await;
    let line = Line::to(&db).await;
    let work = work(sessions(&line.url(&db)));
    commit(&work, &[counting()]).await;
    crate::eventually("the connection to be idle", || async { (work.pool().num_idle() == 1).then_some(()) }).await;

    line.silence();
    let error = within("the silence to be noticed", work.stage(&[counting()])).await.err().expect("no answer");
    assert_eq!(error.remedy(), Remedy::Suspect, "{error}");
    let facts = task();
    let batch = [event("Wanted", Command::new(facts.clone(), Ask::Count))];
    assert!(matches!(within("a new line", commit(&work, &batch)).await[..], [Outcome::Decided(_)]));
    assert_eq!(count(&db, facts.task_id).await, Some(100));
}

#[tokio::test]
async fn a_pool_whose_lines_are_all_silent_costs_one_time_out_and_not_one_each() {
    let db = database().await;
    let line = Line::to(&db).await;
    let sessions = sessions(&line.url(&db));
    let mut held = Vec::new();
    for _ in 0..8 {
        held.push(sessions.acquire().await.expect("connected"));
    }
    drop(held);
    let idle = || async { (sessions.pool().num_idle() == 8).then_some(()) };
    crate::eventually("all connections to be idle", idle).await;

    line.silence();
    let ask = || sessions.bounded(sqlx::query("select 1").execute(sessions.pool()));
    within("the silence to be noticed", ask()).await.expect_err("no answer");
    for _ in 0..8 {
        ask().await.expect("no other silent line is used again");
    }
}

#[tokio::test]
async fn connections_given_back_on_a_silent_line_do_not_use_the_pool_up() {
    let db = database().await;
    let line = Line::to(&db).await;
    let sessions = sessions(&line.url(&db));
    // No query is in progress here: the silence is noticed while connections are returned to the pool.
    for _ in 0..3 {
        let held = futures::future::join_all((0..8).map(|_| sessions.pool().acquire())).await;
        line.silence();
        drop(held);
    }
    let query = async { sqlx::query("select 1").execute(sessions.pool()).await };
    within("a place in the pool", query).await.expect("there is one");
}

#[tokio::test]
async fn a_client_frozen_within_its_transaction_is_ended_and_its_successor_goes_on() {
    let db = database().await;
    let (frozen, successor) = (work(sessions(&db.url())), work(sessions(&db.url())));
    let batch = [counting()];
    let staged = frozen.stage(&batch).await.expect("written");
    // Its process neither commits nor ends, so its locks stay.
    let done = within("the frozen one to be ended", commit(&successor, &batch)).await;
    assert!(matches!(done[..], [Outcome::Decided(_)]), "{done:?}");
    let error = staged.commit().await.expect_err("its session has been ended");
    assert_ne!(error.remedy(), Remedy::Park, "{error}");
    assert_eq!(count(&db, batch[0].command.task.task_id).await, Some(100), "it counts once");
}

#[tokio::test]
async fn a_statement_whose_client_has_gone_is_not_carried_on_with() {
    let db = database().await;
    let line = Line::to(&db).await;
    let sessions = sessions(&line.url(&db));
    let mut db_lock = db.pool().begin().await.expect("begun");
    sqlx::query("lock table counts in access exclusive mode").execute(&mut *db_lock).await.expect("locked");
    let waiting = sessions.pool().acquire().await.expect("connected");
    let mut waiting = waiting.detach();
    let asking = tokio::spawn(async move { sqlx::query("select count(*) from counts").execute(&mut waiting).await });
    db.until_blocked().await;
    asking.abort();
    let gone = async {
        while sessions_of(&db).await > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    within("the server to notice that nobody listens", gone).await;
}

#[tokio::test]
async fn sessions_have_their_time_outs_from_the_start_and_migrations_have_none() {
    let db = database().await;
    let sessions = sessions(&db.url());
    let setting = async |name: &'static str| -> Option<String> {
        sqlx::query_scalar("select current_setting($1, true)")
            .bind(name)
            .fetch_one(sessions.pool())
            .await
            .expect("read")
    };
    for (name, value) in [
        ("idle_in_transaction_session_timeout", "900ms"),
        ("lock_timeout", "1200ms"),
        ("statement_timeout", "1350ms"),
        ("client_connection_check_interval", "1s"),
    ] {
        assert_eq!(setting(name).await.as_deref(), Some(value), "{name}");
    }
    // Servers before version 17 do not have it.
    assert!(matches!(setting("transaction_timeout").await.as_deref(), None | Some("3s")));

    let slow = sqlx::migrate::Migration::new(
        5000,
        "slow".into(),
        sqlx::migrate::MigrationType::Simple,
        sqlx::SqlSafeStr::into_sql_str("select pg_sleep(2)"),
        false,
    );
    let slow = sqlx::migrate::Migrator { migrations: vec![slow].into(), ..sqlx::migrate::Migrator::DEFAULT };
    saga::migrate(sessions.pool(), &slow).await.expect("it may take longer than any statement");
}

#[tokio::test]
async fn a_database_that_takes_no_new_connection_is_away_and_not_waited_for() {
    let db = database().await;
    let line = Line::to(&db).await;
    let work = work(sessions(&line.url(&db)));
    line.swallow_all();
    let error: StoreError = within("an error", work.stage(&[counting()])).await.err().expect("no connection");
    assert_eq!(error.remedy(), Remedy::Later, "{error}");
}
