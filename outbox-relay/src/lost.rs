//! The faults that keep a relay from leading, or end its leadership.

use std::{future::Future, time::Duration};

use rdkafka::error::KafkaError;

/// A fault that keeps a relay from leading, or ends its leadership. None ends the process: [`Relay::run`](crate::Relay::run)
/// reconnects and stands by.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what each means")]
pub enum Lost {
    #[error("another relay leads: the epoch is no longer {epoch}")]
    Replaced { epoch: i64 },
    #[error("the database: {0}")]
    Database(#[from] sqlx::Error),
    #[error("the database has not answered for {0:?}")]
    NoAnswer(Duration),
    #[error("creating the Kafka client: {0}")]
    Client(#[from] KafkaError),
    /// Neither a setting nor the database says what may be published.
    #[error(
        "the database belongs to no publisher: name one in RELAY_PUBLISHERS (NAME=PUBLISHER), or start the service of this \
         version, whose migration declares one"
    )]
    NoPublisher,
    #[error(
        "the database declares the publisher {publisher}, and so does the database {other}: only one of them can be right; \
         set RELAY_PUBLISHERS"
    )]
    SamePublisher { publisher: String, other: String },
    /// New rows would get numbers that count as published.
    #[error(
        "the sequence outbox_seq stands at {last_value}, behind the cursor at {cursor}: the database was restored or \
         switched over without its sequences, and what is written now would never be published. Stop the service; \
         `select setval('outbox_seq', {cursor})`; give the rows written since then new numbers, in their order: {}; \
         start it again",
        renumber(&format!("where seq <= {last_value} and created_at > TIME"), "seq")
    )]
    SequenceBehind { last_value: i64, cursor: i64 },
    #[error(
        "the sequence outbox_seq is cached ({cache}): sessions draw numbers long before they use them, and rows would \
         never be published: `alter sequence outbox_seq cache 1`, then restart the service"
    )]
    SequenceCached { cache: i64 },
    /// The sequence is ahead of the cursor, but some of its numbers will be used twice.
    #[error(
        "the sequence outbox_seq was set back from {from} to {to}: some numbers are used twice, and of two such rows one may \
         never be published; looking for them"
    )]
    SequenceSetBack { from: i64, to: i64 },
    /// Some rows count as published and are not.
    #[error(
        "{numbers} numbers up to {cursor} were used twice, first seq {first_seq}: the sequence was set back, and the rows \
         written since then have not been published. Give these rows new numbers, in their order; those that had been \
         published are published again, which does no harm: {}",
        renumber(
            &format!(
                "where seq in (select seq from outbox where seq between {first_seq} and {cursor} \
                 group by seq having count(*) > 1)"
            ),
            "seq, created_at"
        )
    )]
    NumbersUsedTwice { numbers: i64, first_seq: i64, cursor: i64 },
    /// No fault: another program publishes this outbox.
    #[error(
        "the outbox has been handed over to Debezium or another reader: standing by until it is handed back \
         (docker/debezium/hand-back.sql)"
    )]
    HandedOver,
}

impl Lost {
    /// True if the tables are missing: their service has not been started yet.
    pub(crate) fn is_not_migrated(&self) -> bool {
        const UNDEFINED_TABLE: &str = "42P01";
        matches!(self, Lost::Database(error) if has_code(error, UNDEFINED_TABLE))
    }

    /// True if a person has to repair it.
    pub(crate) fn needs_a_person(&self) -> bool {
        match self {
            Lost::NoPublisher
            | Lost::SamePublisher { .. }
            | Lost::SequenceBehind { .. }
            | Lost::SequenceCached { .. }
            | Lost::SequenceSetBack { .. }
            | Lost::NumbersUsedTwice { .. } => true,
            Lost::Replaced { .. } | Lost::Database(_) | Lost::NoAnswer(_) | Lost::Client(_) | Lost::HandedOver => false,
        }
    }
}

/// The statement that gives rows new numbers in the order of the old ones: a plain update would number them in any order.
fn renumber(rows: &str, order: &str) -> String {
    format!(
        "`with n as materialized (select id, nextval('outbox_seq') as seq from (select id from outbox {rows} order by {order}) x) \
         update outbox o set seq = n.seq from n where o.id = n.id`"
    )
}

/// True if the server has cancelled the statement because it took too long.
pub(crate) fn took_too_long(error: &sqlx::Error) -> bool {
    const QUERY_CANCELED: &str = "57014";
    has_code(error, QUERY_CANCELED)
}

fn has_code(error: &sqlx::Error, code: &str) -> bool {
    matches!(error, sqlx::Error::Database(error) if error.code().as_deref() == Some(code))
}

/// The answer of a database, which has to come within `bound`.
pub(crate) async fn answered<T>(bound: Duration, question: impl Future<Output = sqlx::Result<T>>) -> Result<T, Lost> {
    match tokio::time::timeout(bound, question).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Lost::NoAnswer(bound)),
    }
}
