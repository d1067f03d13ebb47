//! Retries parked events once an operator has asked for it, and those that an older program could not read; then the events
//! that waited behind them.

use std::time::Duration;

use super::shelf::{self, Due, Versions, Why};
use crate::{
    EventId,
    health::Progress,
    record::Record,
    runtime::{
        aside::{Aside, Shelf},
        carry::carry,
        dead_letter::DeadLetters,
        erased::ErasedCommand,
        incoming::{Incoming, Origin},
        reading::{self, Reading, Unread},
        throttle::Throttle,
        work::Work,
    },
    shutdown::Shutdown,
    table::Table,
};

/// Poll interval; operators can wait a second.
pub(crate) const LOOK: Duration = Duration::from_secs(1);
/// Maximum number of sagas retried in one batch.
const BATCH: i64 = 200;

/// Retries due events until shutdown, and updates the gauges of parked work.
pub(crate) async fn run(work: Work, dead_letters: DeadLetters, progress: Progress, shutdown: Shutdown) {
    let table = work.service().table();
    let (throttle, versions) = (Throttle::new(progress), Versions::of(&table));
    loop {
        match step(&work, (&table, &versions), &dead_letters, &throttle, &shutdown).await {
            Ok(tried) => {
                throttle.progress.round();
                if tried > 0 {
                    continue;
                }
            }
            Err(error) => {
                tracing::warn!(%error, "parked events cannot be processed; retrying");
                throttle.progress.waiting(format!("parked events cannot be processed: {error}"));
            }
        }
        if let Ok(waiting) = work.sessions().bounded(shelf::waiting(work.pool())).await {
            metrics::gauge!("events_parked", "service" => work.name()).set(waiting.events as f64);
            metrics::gauge!("attempts_parked", "service" => work.name()).set(waiting.attempts as f64);
        }
        if !shutdown.sleep(LOOK).await {
            return;
        }
    }
}

/// As the worker does once.
#[cfg(feature = "testing")]
pub(crate) async fn retry_due(
    work: &Work,
    table: &Table<ErasedCommand>,
    dead_letters: &DeadLetters,
    throttle: &Throttle,
    shutdown: &Shutdown,
) -> anyhow::Result<usize> {
    step(work, (table, &Versions::of(table)), dead_letters, throttle, shutdown).await
}

/// Retries the first event of every saga whose turn it is; returns the number of events, or 0 at a shutdown.
async fn step(
    work: &Work,
    (table, versions): (&Table<ErasedCommand>, &Versions),
    dead_letters: &DeadLetters,
    throttle: &Throttle,
    shutdown: &Shutdown,
) -> anyhow::Result<usize> {
    let sessions = work.sessions();
    let due = sessions.bounded(shelf::due(sessions.pool(), versions, BATCH)).await?;
    let count = due.len();
    let (mut batch, mut records): (Vec<Incoming<ErasedCommand>>, Vec<Record>) = (Vec::new(), Vec::new());
    for Due { id, record } in due {
        match command(table, id, &record) {
            Ok(incoming) => {
                batch.push(incoming);
                records.push(record);
            }
            Err((error, needs_version)) => {
                let why = Why { error: &error, needs_version };
                let again = async { shelf::park_again(&mut *sessions.acquire().await?, id, why).await };
                sessions.bounded(again).await?;
            }
        }
    }
    let shelf =
        Shelf { service: work.name(), sessions, dead_letters, server: None, progress: &throttle.progress, shutdown };
    let aside = Aside { shelf: &shelf, batch: &batch, records: &records };
    let carried = if batch.is_empty() { Ok(()) } else { carry(work, &batch, &aside, throttle, shutdown).await };
    dead_letters.wake();
    Ok(carried.map_or(0, |()| count))
}

/// Decodes the event with the service's current table; the error is the reason, and the version of an event that is newer.
fn command<C>(table: &Table<C>, id: EventId, record: &Record) -> Result<Incoming<C>, (String, Option<u32>)> {
    match reading::read(table, record) {
        Reading::Command(incoming) => Ok(Incoming { origin: Origin::Parked(id), ..incoming }),
        Reading::Parks(Unread { why, newer, .. }) => Err((why, newer)),
        Reading::DeadLetter(why) => Err((why, None)),
        Reading::Skipped => Err(("the service no longer consumes this event type".to_owned(), None)),
    }
}
