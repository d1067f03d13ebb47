//! Replay: publishing retained events again.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use futures::{TryStreamExt, future::BoxFuture};
use outbox::kafka::Cluster;
use sqlx::{ConnectOptions, FromRow, postgres::PgConnectOptions};

use crate::{
    BATCH_ROWS, Lost, Timing,
    lost::answered,
    publisher::{NotTaken, Publisher},
    record::Route,
    slots::BATCHES,
    span::Span,
    store::{self, OutboxRow, session_options},
};

/// Maximum time for the broker to acknowledge, and for the server to run a statement; after it the replay fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// Maximum time for the next row to arrive; after it the connection is silent, since the server would have cancelled the read
/// before.
const SILENT_AFTER: Duration = Duration::from_secs(75);

/// The fence of a replay, which has no lease.
const NEVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// Publishes the retained rows of a span again, in their order, and returns how many. Moves no cursor, and omits rows that have
/// not been published yet, so that nothing overtakes them. Needs no leadership: a repetition does no harm.
/// `publisher` is the one that the database belongs to, as [`Settings::publisher`](crate::Settings::publisher).
///
/// # Errors
/// Also before a row that names another publisher, and if the database or the broker does not answer in time.
pub fn replay<'a>(
    database: &'a PgConnectOptions,
    kafka: &'a Cluster,
    publisher: Option<&'a str>,
    span: Span,
) -> BoxFuture<'a, anyhow::Result<usize>> {
    Box::pin(published_again(database, kafka, publisher, span))
}

async fn published_again(
    database: &PgConnectOptions,
    kafka: &Cluster,
    publisher: Option<&str>,
    span: Span,
) -> anyhow::Result<usize> {
    let options = session_options(database, PATIENCE);
    let bound = Timing::default().answered_within();
    let mut session = answered(bound, options.connect()).await.context("connecting to the database")?;
    let published_through = answered(bound, store::cursor(&mut session)).await.context("reading the relay's cursor")?;
    let publisher = match publisher {
        Some(publisher) => publisher.to_owned(),
        None => {
            let declared = answered(bound, store::declared_publisher(&mut session)).await;
            declared.context("reading the publisher")?.ok_or(Lost::NoPublisher)?
        }
    };
    let timing = Timing { acknowledged_within: PATIENCE, ..Timing::default() };
    let never = Instant::now() + NEVER;
    let mut publisher = Publisher::new(kafka, Route::of(&publisher, kafka.prefix()), timing, BATCH_ROWS, never)
        .context("creating the Kafka client")?;
    if let Err(refusal) = publisher.know_partitions(PATIENCE).await {
        bail!("{}: {}", publisher.route().topic(), refusal.error);
    }
    let (mut last_seq, mut published) = (0, 0);
    loop {
        let mut rows = store::read_again(&mut session, last_seq, published_through, span);
        let mut taken = 0;
        publisher.open();
        while let Some(row) = answered(SILENT_AFTER, rows.try_next()).await.context("reading the outbox")? {
            let row = OutboxRow::from_row(&row).context("reading the outbox")?;
            let Some(record) = publisher.record(&row) else {
                bail!(
                    "the row with seq {} names the publisher {:?}, and the database belongs to {:?}; {published} events \
                     before it have been published",
                    row.seq,
                    row.aggregatetype,
                    publisher.route().publisher()
                );
            };
            match publisher.send(publisher.partition_of(&row), record) {
                Ok(()) => (taken, last_seq) = (taken + 1, row.seq),
                // `settle` reports a refusal.
                Err(NotTaken::Full | NotTaken::Fenced | NotTaken::Opening | NotTaken::Refused) => break,
            }
        }
        drop(rows);
        publisher.seal(taken, last_seq);
        published += taken;
        let at_most = if taken == 0 { 0 } else { BATCHES - 1 };
        let waited = publisher.batches() > at_most;
        settle(&mut publisher, at_most).await?;
        if taken == 0 && !waited {
            publisher.discard().await;
            return Ok(published);
        }
    }
}

/// Waits until at most `at_most` batches wait for acknowledgements.
async fn settle(publisher: &mut Publisher, at_most: usize) -> anyhow::Result<()> {
    loop {
        let (_, outcome) = publisher.arrived(Instant::now());
        if let Err(refusal) = outcome {
            bail!("the broker has not accepted all events, {}: {}", publisher.route().topic(), refusal.error);
        }
        let Some(overdue_at) = publisher.overdue_at().filter(|_| publisher.batches() > at_most) else {
            return Ok(());
        };
        tokio::select! {
            () = publisher.changed() => {}
            () = tokio::time::sleep_until(overdue_at.into()) => {}
        }
    }
}
