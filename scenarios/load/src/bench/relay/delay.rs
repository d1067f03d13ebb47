//! The relay's delay: from the commit of a row to its arrival at a consumer.

use std::{sync::Arc, time::Duration};

use anyhow::ensure;
use events::publisher;
use futures::future::try_join_all;
use saga::{
    health::Progress,
    shutdown::Shutdown,
    unit_of_work::{self, Wake},
};
use sqlx::PgPool;
use testbed::Database;

use super::{Delay, process::RelayProcess, writer};
use crate::{
    bench::{ground::Ground, raw},
    ear::Ear,
    processes::Processes,
    tally::Tally,
};

/// Concurrent writers with a connection each. They share the due rows, so that one slow commit does not delay the others.
const WRITERS: u32 = 4;

pub(super) async fn measure(ground: &Ground, relay: &RelayProcess, rate: u32, time: Duration) -> anyhow::Result<Delay> {
    let rows = (f64::from(rate) * time.as_secs_f64()) as u32;
    let tally = Arc::new(Tally::new(rows));
    let ear = Ear::on(&ground.kafka(), publisher::ACCOUNT.topic(), raw::All(Arc::clone(&tally))).await?;
    let accounts = ground.pool(Database::ACCOUNTS, WRITERS + 1)?;
    let wake = Wake::default();
    let (stop, shutdown) = Shutdown::by_hand();
    let waking = tokio::spawn(unit_of_work::notify_relay(
        wake.clone(),
        accounts.clone().into(),
        Progress::unwatched(),
        shutdown,
    ));
    let meter = Processes::named([("relay", relay.pid()?)]).meter();
    tally.begin();
    try_join_all((0..WRITERS).map(|writer| write(&accounts, &wake, &tally, rate, writer))).await?;
    let taken = tally.begun().elapsed();
    let all_heard = testbed::until("all rows were heard", Duration::from_secs(15), async || {
        (tally.count().completed >= rows).then_some(())
    });
    let heard = all_heard.await;
    let cpu_seconds = meter.read().first().map_or(0.0, |usage| usage.cpu_seconds);
    stop.now();
    waking.await?;
    accounts.close().await;
    tokio::task::spawn_blocking(move || drop(ear)).await?;
    heard?;
    let early = tally.courses().filter(|(_, course)| course.ended.is_some_and(|(at, _)| at < course.intended)).count();
    let times = raw::latencies(tally.courses().map(|(_, course)| course));
    ensure!(times.len() == u64::from(rows), "{} of {rows} rows arrived", times.len());
    let cpu_percent = cpu_seconds / taken.as_secs_f64() * 100.0;
    Ok(Delay { rate, latency: times.latency(), early: early as u64, cpu_percent })
}

/// Writes its share of the rows when due, each with all others that are due by then in one transaction.
async fn write(accounts: &PgPool, wake: &Wake, tally: &Tally, rate: u32, writer: u32) -> anyhow::Result<()> {
    let mut mine = (writer..tally.orders()).step_by(WRITERS as usize).peekable();
    let due_at = |number: u32| Duration::from_secs_f64(f64::from(number) / f64::from(rate));
    while let Some(next) = mine.peek().copied() {
        tokio::time::sleep_until((tally.begun() + due_at(next)).into()).await;
        let now = tally.begun().elapsed();
        let due: Vec<u32> = std::iter::from_fn(|| mine.next_if(|number| due_at(*number) <= now)).collect();
        writer::write(accounts, due.iter().map(|number| tally.tickets().order(*number))).await?;
        let committed = tally.begun().elapsed();
        due.iter().for_each(|number| tally.sent(*number, committed));
        wake.relay();
    }
    Ok(())
}
