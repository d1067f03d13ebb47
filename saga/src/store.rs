//! Errors between a service and its database, and the remedy for each.

use std::{fmt::Display, str::FromStr};

use outbox::WriteError;
use sqlx::{PgConnection, postgres::PgDatabaseError};

use crate::{SagaId, barrier::Status};

/// Why a batch was not stored. None of it has taken effect.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what each means")]
pub enum StoreError {
    /// Without what the database quotes, see [`told`]. Not its source, so that no chain of causes tells it either.
    #[error("{}", told(.0))]
    Sql(sqlx::Error),
    /// Another transaction inserted a row that was absent when we loaded. Loading again shows it.
    #[error("another transaction inserted the same {0} first")]
    Raced(&'static str),
    /// A row holds a value that this program does not understand.
    #[error("{table} {key}: {error}")]
    Corrupt { table: &'static str, key: String, error: String },
    /// A decision panicked: a bug in the service.
    #[error("the decision panicked: {0}")]
    Panicked(String),
    /// A row that the decision requires is missing.
    #[error("{0}")]
    Impossible(String),
    /// Something else that the decision needs cannot be had now, such as a key. It can be had later.
    #[error("{0}")]
    Elsewhere(String),
    /// An event is too large for its consumers. Rejected here, at the source, so that it never blocks the relay.
    #[error("the event {event_type} of {aggregateid} has {bytes} bytes; the limit is {limit}")]
    TooLarge { event_type: String, aggregateid: String, bytes: usize, limit: usize },
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        StoreError::Sql(error)
    }
}

/// An error of the database without the values that it quotes, which may name a person. A refused value (class 22 of PostgreSQL's
/// codes) and what a function of the database raises (class P0) are told by their code; other messages quote no row.
pub fn told(error: &sqlx::Error) -> String {
    let code = error.as_database_error().and_then(|error| error.code());
    match code {
        Some(code) if code.starts_with("22") || code.starts_with("P0") => {
            format!("the database has refused a value, with the code {code}; its own log has the message")
        }
        _ => error.to_string(),
    }
}

impl From<WriteError> for StoreError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Sql(error) => StoreError::Sql(error),
            WriteError::TooLarge { event_type, aggregateid, bytes, limit } => {
                StoreError::TooLarge { event_type, aggregateid, bytes, limit }
            }
        }
    }
}

/// Remedy for an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Retry at once: another transaction got in between.
    Again,
    /// Retry the same batch once the database is available again.
    Later,
    /// Retry; if the error persists, the batch may be too large or one of its events the cause. The batch is then halved,
    /// and a single event is finally parked.
    Suspect,
    /// Do not retry: park the event that causes it.
    Park,
}

impl StoreError {
    /// Remedy for this error.
    pub fn remedy(&self) -> Remedy {
        match self {
            StoreError::Raced(_) => Remedy::Again,
            StoreError::Elsewhere(_) => Remedy::Later,
            StoreError::Corrupt { .. }
            | StoreError::Panicked(_)
            | StoreError::Impossible(_)
            | StoreError::TooLarge { .. } => Remedy::Park,
            StoreError::Sql(error) => remedy_of_sql(error),
        }
    }

    /// Returns whether the server closed the connection while it was in use, as when its process has died.
    pub fn is_broken_off(&self) -> bool {
        use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
        match self {
            StoreError::Sql(sqlx::Error::Io(error)) => {
                matches!(error.kind(), UnexpectedEof | ConnectionReset | ConnectionAborted | BrokenPipe)
            }
            // Another session's process has crashed, so the server ends all of them.
            StoreError::Sql(error) => {
                error.as_database_error().and_then(|error| error.code()).as_deref() == Some("57P02")
            }
            _ => false,
        }
    }

    /// Returns whether the cause is a lock that another session holds.
    pub fn is_lock(&self) -> bool {
        matches!(self, StoreError::Sql(error) if error.as_database_error().and_then(|error| error.code()).as_deref() == Some("55P03"))
    }
}

fn remedy_of_sql(error: &sqlx::Error) -> Remedy {
    match error {
        sqlx::Error::Database(error) => match error.try_downcast_ref::<PgDatabaseError>() {
            Some(error) => remedy_of_sqlstate(error.code()),
            None => Remedy::Later,
        },
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::Encode(_) => Remedy::Park,
        // No answer in time: the network, the server, or a batch that takes too long.
        sqlx::Error::Io(error) if error.kind() == std::io::ErrorKind::TimedOut => Remedy::Suspect,
        sqlx::Error::ColumnNotFound(_)
        | sqlx::Error::ColumnIndexOutOfBounds { .. }
        | sqlx::Error::TypeNotFound { .. } => Remedy::Park,
        // Everything else is between the client and the server: connections, pools, protocol, TLS.
        _ => Remedy::Later,
    }
}

/// Classifies by PostgreSQL's error codes (its appendix A), by class where the code is not listed.
fn remedy_of_sqlstate(code: &str) -> Remedy {
    match code {
        // serialization failure, deadlock
        "40001" | "40P01" => Remedy::Again,
        // lock not available, statement cancelled or too slow, idle too long within the transaction, transaction too slow,
        // out of memory, corrupt page, corrupt index
        "55P03" | "57014" | "25P03" | "25P04" | "53200" | "XX001" | "XX002" => Remedy::Suspect,
        _ => match code.get(..2) {
            // data exception, integrity constraint violation, plpgsql raise, program limit exceeded (row too big)
            Some("22" | "23" | "P0" | "54") => Remedy::Park,
            // 08 connection, 53 resources, 57 operator intervention, 58 system, 25 read-only standby, 28 password
            // rotation, 3D/42 schema not migrated yet: these get fixed outside, and then the same batch goes through.
            _ => Remedy::Later,
        },
    }
}

/// Parses a text column into a domain word; `key` names the row in the error.
pub fn parse<T: FromStr<Err: Display>>(table: &'static str, key: impl Display, text: &str) -> Result<T, StoreError> {
    text.parse().map_err(|error: T::Err| StoreError::Corrupt { table, key: key.to_string(), error: error.to_string() })
}

/// Updates the status of steps. `statement` updates from `unnest($1::uuid[], $2::text[], $3::text[])`: saga, status,
/// reason.
pub async fn update_steps(
    db: &mut PgConnection,
    statement: &'static str,
    steps: impl ExactSizeIterator<Item = (SagaId, Status, Option<impl ToString>)>,
) -> Result<(), StoreError> {
    if steps.len() == 0 {
        return Ok(());
    }
    let (mut sagas, mut statuses, mut reasons) = (Vec::new(), Vec::new(), Vec::new());
    for (saga, status, reason) in steps {
        sagas.push(saga.0);
        statuses.push(status.as_str());
        reasons.push(reason.map(|reason| reason.to_string()));
    }
    sqlx::query(statement).bind(sagas).bind(statuses).bind(reasons).execute(db).await?;
    Ok(())
}

/// Checks an insert of rows that were absent when loaded: fewer rows inserted than asked for means that another
/// transaction was faster.
pub fn all_inserted(table: &'static str, asked: usize, inserted: u64) -> Result<(), StoreError> {
    if inserted == asked as u64 { Ok(()) } else { Err(StoreError::Raced(table)) }
}

/// Removes what finished work of these sagas still holds: the requests of calls, and the bytes of events that were parked. For a
/// service that erases personal data.
///
/// # Errors
/// If the database does not answer.
pub async fn erase_kept(db: &mut PgConnection, sagas: &[SagaId]) -> Result<(), StoreError> {
    let sagas: Vec<uuid::Uuid> = sagas.iter().map(|saga| saga.0).collect();
    sqlx::query("select erase_kept($1)").bind(sagas).execute(db).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_event_are_parked_errors_of_the_world_waited_out_and_what_may_be_either_is_suspected() {
        for (code, remedy) in [
            ("40P01", Remedy::Again),
            ("40001", Remedy::Again),
            ("55P03", Remedy::Suspect),
            ("57014", Remedy::Suspect),
            ("53200", Remedy::Suspect),
            ("XX001", Remedy::Suspect),
            ("23514", Remedy::Park),
            ("22003", Remedy::Park),
            ("22P05", Remedy::Park),
            ("57P01", Remedy::Later),
            ("53300", Remedy::Later),
            ("08006", Remedy::Later),
            ("25006", Remedy::Later),
            ("42P01", Remedy::Later),
        ] {
            assert_eq!(remedy_of_sqlstate(code), remedy, "{code}");
        }
        assert_eq!(StoreError::Sql(sqlx::Error::PoolTimedOut).remedy(), Remedy::Later);
        assert_eq!(StoreError::Raced("trips").remedy(), Remedy::Again);
    }
}
