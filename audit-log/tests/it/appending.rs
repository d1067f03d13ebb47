//! Acts and their entries: many at once, without a log, and cut short.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use audit_log::{Act, AuditLog, Ended, Recorder, Wanted};
use sqlx::{Connection, Executor};

use crate::support::{Log, act};

#[tokio::test]
async fn thirty_two_appenders_at_once_give_one_chain_that_does_not_fork() {
    let log = Log::create().await;
    let recorders: Vec<Recorder> = (0..32).map(|_| Recorder::To(log.silent())).collect();
    let appending = recorders.iter().enumerate().map(|(number, recorder)| async move {
        for part in 0..5 {
            recorder.note(&act(number * 5 + part)).await.unwrap();
        }
    });
    futures::future::join_all(appending).await;
    let verdict = log.verify_without_heads().await;
    assert_eq!((verdict.entries, verdict.findings.as_slice()), (160, &[][..]));
    log.drop().await;
}

#[tokio::test]
async fn without_the_lock_on_the_end_the_same_appenders_get_in_each_others_way() {
    let log = Log::create().await;
    // The twin: the function without `for update`.
    let source: String = sqlx::query_scalar("select pg_get_functiondef('audit.append'::regproc)")
        .fetch_one(&log.superuser)
        .await
        .unwrap();
    assert!(source.contains("for update"));
    log.tamper(&source.replace("for update", "")).await;
    log.tamper("alter table audit.entries drop constraint entries_pkey").await;
    let (mut first, mut second) = (log.writer().await, log.writer().await);
    let append = "select audit.append(gen_random_uuid(), 'o', 'token', 'a', 'k', 'i', 'r', 'noted', '{}')";
    let mut slow = first.begin().await.unwrap();
    slow.execute(append).await.unwrap();
    // It has read the same end; it only waits for the row that the first one has updated.
    let waiting = tokio::spawn(async move { second.execute(append).await.map(drop) });
    until_blocked(&log).await;
    slow.commit().await.unwrap();
    waiting.await.unwrap().unwrap();
    assert!(!log.verify_without_heads().await.holds(), "two entries claim the same number");
    first.close().await.unwrap();
    log.drop().await;
}

async fn until_blocked(log: &Log) {
    let end = Instant::now() + Duration::from_secs(10);
    let query = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    while sqlx::query_scalar::<_, i64>(query).fetch_one(&log.superuser).await.unwrap() == 0 {
        assert!(Instant::now() < end, "waited 10 s for a statement to wait for a lock");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_writer_that_holds_the_lock_delays_others_for_a_bounded_time_and_their_acts_are_refused() {
    let log = Log::create().await;
    let mut holder = log.writer().await;
    let mut open = holder.begin().await.unwrap();
    let append = "select audit.append(gen_random_uuid(), 'o', 'token', 'a', 'k', 'i', 'r', 'noted', '{}')";
    open.execute(append).await.unwrap();
    let (started, acted) = (Instant::now(), AtomicBool::new(false));
    let refused = log.recorder().audited(&act(1), doing(&acted), |()| Ended::done("")).await.unwrap_err();
    assert!(format!("{refused:#}").contains("nothing was done"), "{refused:#}");
    assert!(!acted.load(Ordering::SeqCst) && started.elapsed() < Duration::from_secs(20));
    open.rollback().await.unwrap();
    log.acts(1).await;
    assert!(log.verify().await.holds());
    holder.close().await.unwrap();
    log.drop().await;
}

async fn doing(acted: &AtomicBool) -> anyhow::Result<()> {
    acted.store(true, Ordering::SeqCst);
    Ok(())
}

#[tokio::test]
async fn an_act_that_cannot_be_recorded_is_refused_and_nothing_is_done() {
    let nowhere = "postgres://w:secret@127.0.0.1:1/audit".to_owned().into();
    let recorder = Recorder::To(AuditLog::new(&transport::Transport::plain(), &nowhere).unwrap());
    let acted = AtomicBool::new(false);
    let refused = recorder.audited(&act(1), doing(&acted), |()| Ended::done("")).await.unwrap_err();
    let text = format!("{refused:#}");
    assert!(
        text.starts_with("nothing was done, because it could not be recorded") && !text.contains("secret"),
        "{text}"
    );
    assert!(!acted.load(Ordering::SeqCst));
    // The twin: where no log is named, the act goes on.
    Recorder::Nowhere.audited(&act(1), doing(&acted), |()| Ended::done("")).await.unwrap();
    assert!(acted.load(Ordering::SeqCst));
}

#[tokio::test]
async fn acts_that_were_cut_short_stay_open_intents() {
    let log = Log::create().await;
    let recorder = log.recorder();
    log.acts(1).await;
    // Their programs die between intent and outcome.
    drop(recorder.begin(&act(7)).await.unwrap());
    drop(recorder.begin(&Act::new(crate::support::ophelia(), "erase.user", "user", 42)).await.unwrap());
    let failed = recorder.audited(&act(9), async { anyhow::bail!("the broker is away") }, |()| Ended::done("")).await;
    assert_eq!(failed.unwrap_err().to_string(), "the broker is away");
    let verdict = log.verify().await;
    assert!(verdict.holds(), "an open intent is no damage");
    let open: Vec<(i64, &str, &str)> =
        verdict.open.iter().map(|intent| (intent.seq, intent.action.as_str(), intent.object.1.as_str())).collect();
    assert_eq!(open, [(3, "parked.retry", "7"), (4, "erase.user", "42")]);
    let entries =
        log.reader().list(&Wanted { object: Some("9".to_owned()), latest: 9, ..Wanted::default() }).await.unwrap();
    let said: Vec<(&str, &str)> = entries.iter().map(|entry| (entry.outcome.as_str(), entry.reason.as_str())).collect();
    assert_eq!(said, [("began", "reason 9"), ("failed", "the broker is away")]);
    log.drop().await;
}

#[tokio::test]
async fn entries_are_listed_by_time_actor_and_object() {
    let log = Log::create().await;
    log.acts(2).await;
    let other = audit_log::Actor { name: "hamlet".to_owned(), known: audit_log::Known::Unverified };
    log.recorder().note(&Act::new(other, "denied", "route", "GET /orders/{id}")).await.unwrap();
    let listed = async |wanted: Wanted| {
        let entries = log.reader().list(&Wanted { latest: 100, ..wanted }).await.unwrap();
        entries.iter().map(|entry| entry.seq).collect::<Vec<_>>()
    };
    assert_eq!(listed(Wanted::default()).await, [1, 2, 3, 4, 5]);
    assert_eq!(listed(Wanted { actor: Some("hamlet".to_owned()), ..Wanted::default() }).await, [5]);
    assert_eq!(listed(Wanted { object: Some("2".to_owned()), ..Wanted::default() }).await, [3, 4]);
    let third = log.reader().list(&Wanted { latest: 3, ..Wanted::default() }).await.unwrap().remove(0);
    assert_eq!(listed(Wanted { since: third.at(), ..Wanted::default() }).await, [3, 4, 5]);
    log.drop().await;
}
