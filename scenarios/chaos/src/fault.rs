//! What can be done to a system.

use std::{fmt, time::Duration};

use testbed::{Database, Mode, Program, Side};

use super::Kind;

/// One fault, as it is to be injected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// kill -9; whoever keeps the program starts it again.
    Kill(Program),
    /// SIGSTOP, and SIGCONT after a while. A consumer that is away for longer than its session loses its partitions to others
    /// and comes back with a batch that is not its own any more.
    Freeze(Program, Duration),
    /// A second instance starts, and the first is frozen between its statements and its commit, for longer than its session:
    /// its row locks stay.
    FreezeInTransaction(Program, Duration),
    /// The program's host is gone in the middle of a transaction: nothing tells the database, and its session stays open. The
    /// program starts again elsewhere.
    LostHost(Program),
    /// A second instance of a service comes and goes: partitions change hands in the middle of batches.
    SecondInstance(Program, Duration),
    /// Two relays; the one that leads is frozen until its lease is over, then it comes back.
    SecondRelay(Duration),
    /// PostgreSQL ends in the middle of whatever it does, and recovers.
    CrashPostgres,
    /// The program's open connections to its databases fall silent for good, as after a failover; new ones are served.
    StrandDatabase(Program),
    /// The line between a program and a server is broken in this way.
    Break(Program, Server, Mode, Duration),
    /// A transaction that has written into the outbox stays open, and is rolled back in the end: a gap in its numbers.
    HoldTransaction(Database, Duration),
    /// Somebody holds a lock on a table that the service writes.
    LockTable(Database, Duration),
    /// A second instance whose statements, or waits for locks, are cancelled after 50 ms.
    Impatient(Program, Patience, Duration),
    /// Nobody carries events for a while.
    StopKafka(Duration),
    /// The broker answers all writes with a retriable error: there are fewer replicas than the topics want.
    RejectWrites(Duration),
    /// Records of all topics are published again, as they are.
    Repeat { records: usize },
    /// Records that nobody can read, and requests that make no sense.
    BadRequests { records: usize },
    /// Records made to do harm: huge when uncompressed, from the future, in somebody else's name.
    HostileRecords { records: usize },
    /// A second instance whose clock is two days ahead.
    ClockAhead(Program, Duration),
    /// A second order service whose orders time out after a second.
    ShortDeadlines(Duration),
}

/// The servers that a line leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Server {
    Postgres,
    Kafka,
}

/// What a session is given too little of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    Statements,
    Locks,
}

impl Patience {
    /// The setting of PostgreSQL.
    pub fn setting(self) -> &'static str {
        match self {
            Patience::Statements => "statement_timeout",
            Patience::Locks => "lock_timeout",
        }
    }
}

impl Fault {
    pub fn kind(&self) -> Kind {
        match self {
            Fault::Kill(Program::OUTBOX_RELAY) => Kind::KillRelay,
            Fault::Kill(Program::PAYMENT_GATEWAY) => Kind::KillGateway,
            Fault::Kill(_) => Kind::KillService,
            Fault::Freeze(_, time) if *time >= PAST_THE_SESSION => Kind::FreezePastSession,
            Fault::Freeze(..) => Kind::Freeze,
            Fault::FreezeInTransaction(..) => Kind::FreezeInTransaction,
            Fault::LostHost(_) => Kind::LostHost,
            Fault::SecondInstance(..) => Kind::SecondInstance,
            Fault::SecondRelay(_) => Kind::SecondRelay,
            Fault::CrashPostgres => Kind::CrashPostgres,
            Fault::StrandDatabase(_) => Kind::StrandedDatabase,
            Fault::Break(_, _, Mode::Slow(_), _) => Kind::SlowNetwork,
            Fault::Break(_, Server::Postgres, Mode::Silent(_), _) => Kind::SilentDatabase,
            Fault::Break(_, Server::Kafka, Mode::Silent(_), _) => Kind::SilentKafka,
            Fault::Break(_, Server::Postgres, ..) => Kind::PartitionedDatabase,
            Fault::Break(_, Server::Kafka, ..) => Kind::PartitionedKafka,
            Fault::HoldTransaction(..) => Kind::HeldTransaction,
            Fault::LockTable(..) => Kind::LockedTable,
            Fault::Impatient(_, Patience::Statements, _) => Kind::StatementTimeout,
            Fault::Impatient(_, Patience::Locks, _) => Kind::LockTimeout,
            Fault::StopKafka(_) => Kind::StopKafka,
            Fault::RejectWrites(_) => Kind::RejectedWrites,
            Fault::Repeat { .. } => Kind::Repeat,
            Fault::BadRequests { .. } => Kind::BadRequests,
            Fault::HostileRecords { .. } => Kind::HostileRecords,
            Fault::ClockAhead(..) => Kind::ClockAhead,
            Fault::ShortDeadlines(_) => Kind::ShortDeadlines,
        }
    }

    /// The programs that it hits: one, or `all` where it hits a server.
    pub fn programs<'a>(&'a self, all: &'a [Program]) -> &'a [Program] {
        match self {
            Fault::Kill(program)
            | Fault::Freeze(program, _)
            | Fault::FreezeInTransaction(program, _)
            | Fault::LostHost(program)
            | Fault::SecondInstance(program, _)
            | Fault::StrandDatabase(program)
            | Fault::Break(program, ..)
            | Fault::Impatient(program, ..)
            | Fault::ClockAhead(program, _) => std::slice::from_ref(program),
            Fault::SecondRelay(_) => &[Program::OUTBOX_RELAY],
            Fault::ShortDeadlines(_) => &[Program::ORDER],
            Fault::CrashPostgres | Fault::StopKafka(_) | Fault::RejectWrites(_) => all,
            Fault::HoldTransaction(..)
            | Fault::LockTable(..)
            | Fault::Repeat { .. }
            | Fault::BadRequests { .. }
            | Fault::HostileRecords { .. } => &[],
        }
    }
}

/// Longer than a consumer's session at the broker.
pub(super) const PAST_THE_SESSION: Duration = Duration::from_secs(12);

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = |time: &Duration| format!("{:.1} s", time.as_secs_f64());
        match self {
            Fault::Kill(program) => write!(f, "kill -9 {program}"),
            Fault::Freeze(program, time) => write!(f, "freeze {program} for {}", seconds(time)),
            Fault::FreezeInTransaction(program, time) => {
                write!(f, "start a second {program} and freeze the first in mid-transaction for {}", seconds(time))
            }
            Fault::LostHost(program) => write!(f, "lose the host of {program} in mid-transaction"),
            Fault::SecondInstance(program, time) => write!(f, "start a second {program} for {}", seconds(time)),
            Fault::SecondRelay(time) => write!(f, "start a second relay and freeze the first for {}", seconds(time)),
            Fault::CrashPostgres => write!(f, "crash PostgreSQL and let it recover"),
            Fault::StrandDatabase(program) => {
                write!(f, "let {program}'s connections to PostgreSQL fall silent for good; new ones are served")
            }
            Fault::Break(program, server, mode, time) => {
                let how = match mode {
                    Mode::Pass => "leave alone",
                    Mode::Silent(Side::Both) => "silence",
                    Mode::Silent(Side::Answers) => "lose all answers on",
                    Mode::Reset => "reset",
                    Mode::Refuse => "cut",
                    Mode::Slow(_) => "slow down",
                };
                write!(f, "{how} the line between {program} and {server} for {}", seconds(time))
            }
            Fault::HoldTransaction(database, time) => {
                write!(f, "hold a transaction open that wrote into the outbox of {database}, for {}", seconds(time))
            }
            Fault::LockTable(database, time) => write!(f, "lock a table of {database} for {}", seconds(time)),
            Fault::Impatient(program, patience, time) => {
                write!(f, "start a second {program} with a {} of 50 ms for {}", patience.setting(), seconds(time))
            }
            Fault::StopKafka(time) => write!(f, "stop Kafka for {}", seconds(time)),
            Fault::RejectWrites(time) => write!(f, "let Kafka reject all writes for {}", seconds(time)),
            Fault::Repeat { records } => write!(f, "publish {records} records of all topics again"),
            Fault::BadRequests { records } => write!(f, "publish {records} bad requests"),
            Fault::HostileRecords { records } => write!(f, "publish {records} hostile records"),
            Fault::ClockAhead(program, time) => {
                write!(f, "start a second {program} whose clock is two days ahead, for {}", seconds(time))
            }
            Fault::ShortDeadlines(time) => {
                write!(f, "start a second order whose orders time out after 1 s, for {}", seconds(time))
            }
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Server::Postgres => "PostgreSQL",
            Server::Kafka => "Kafka",
        })
    }
}
