//! What can be done to a system.

use std::{fmt, time::Duration};

use crate::stack::{Database, Program};

/// One piece of trouble.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// kill -9; whoever keeps the program starts it again.
    Kill(Program),
    /// SIGSTOP, and SIGCONT after a while. A consumer that is away for longer than its session loses its partitions to others
    /// and comes back with a batch that is not its own any more.
    Freeze(Program, Duration),
    /// A transaction that has written into the outbox stays open, and is rolled back in the end: a gap in its numbers.
    HoldTransaction(Database, Duration),
    /// Postgres ends in the middle of whatever it does, and recovers.
    CrashPostgres,
    /// Nobody carries events for a while.
    StopKafka(Duration),
    /// Records of all topics are published again, as they are.
    Repeat { records: usize },
    /// Records that nobody can read, and requests that make no sense.
    Litter { records: usize },
    /// Two relays; the one that leads is frozen until its lease is over, then it comes back.
    SecondRelay(Duration),
    /// A second instance of a service comes and goes: partitions change hands in the middle of batches.
    SecondInstance(Program, Duration),
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = |time: &Duration| format!("{:.1} s", time.as_secs_f64());
        match self {
            Deed::Kill(program) => write!(f, "kill -9 {program}"),
            Deed::Freeze(program, time) => write!(f, "freeze {program} for {}", seconds(time)),
            Deed::HoldTransaction(database, time) => {
                write!(f, "hold a transaction open that wrote into the outbox of {database}, for {}", seconds(time))
            }
            Deed::CrashPostgres => write!(f, "crash PostgreSQL and let it recover"),
            Deed::StopKafka(time) => write!(f, "stop Kafka for {}", seconds(time)),
            Deed::Repeat { records } => write!(f, "publish {records} records of all topics again"),
            Deed::Litter { records } => write!(f, "publish {records} bad requests"),
            Deed::SecondRelay(time) => write!(f, "start a second relay and freeze the first for {}", seconds(time)),
            Deed::SecondInstance(program, time) => write!(f, "start a second {program} for {}", seconds(time)),
        }
    }
}
