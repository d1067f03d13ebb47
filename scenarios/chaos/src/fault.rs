//! The faults that can be injected.

use std::{fmt, time::Duration};

use testbed::{Database, Mode, Program, Side};

use super::Kind;

/// One fault, with its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// SIGKILL; the supervisor restarts the program.
    Kill(Program),
    /// SIGSTOP, and SIGCONT after a while. A consumer that is away for longer than its session loses its partitions and comes
    /// back with a batch that it no longer owns.
    Freeze(Program, Duration),
    /// A second instance starts, and the first is frozen between its statements and its commit, for longer than its session; its
    /// row locks remain.
    FreezeInTransaction(Program, Duration),
    /// The program's host is lost in the middle of a transaction: the database is not told, and the session stays open. The
    /// program starts again elsewhere.
    LostHost(Program),
    /// A second instance of a service starts and stops: partitions are reassigned in the middle of batches.
    SecondInstance(Program, Duration),
    /// Two relays: the leader is frozen until its lease has expired, then it comes back.
    SecondRelay(Duration),
    /// Programs are exchanged for another version of each, one after the other, and back. Two versions run together for a while.
    RollingChange(Vec<Program>, Duration),
    /// PostgreSQL crashes in the middle of its work, and recovers.
    CrashPostgres,
    /// The program's open connections to its databases go silent forever, as after a failover; new ones work.
    StrandDatabase(Program),
    /// The connection between a program and a server is broken in this way.
    Break(Program, Server, Mode, Duration),
    /// A transaction that has written to the outbox stays open, and is finally rolled back: a gap in the sequence.
    HoldTransaction(Database, Duration),
    /// Another session holds a lock on a table that the service writes.
    LockTable(Database, Duration),
    /// A second instance whose statements, or waits for locks, are cancelled after 50 ms.
    Impatient(Program, Patience, Duration),
    /// The broker is down for a while.
    StopKafka(Duration),
    /// The broker answers all writes with a retriable error: there are fewer replicas than the topics require.
    RejectWrites(Duration),
    /// Records of all topics are published again, unchanged.
    Repeat { records: usize },
    /// Unreadable records, and requests that make no sense.
    BadRequests { records: usize },
    /// Records made to do harm: huge when decompressed, dated in the future, or with a forged source.
    HostileRecords { records: usize },
    /// A second instance whose clock is two days ahead.
    ClockAhead(Program, Duration),
    /// A second order service whose orders time out after one second.
    ShortDeadlines(Duration),
}

/// The server at the other end of a connection.
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
    /// The corresponding setting of PostgreSQL.
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
            Fault::RollingChange(..) => Kind::RollingChange,
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

    /// The programs that it affects: one, or `all` if it affects a server.
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
            Fault::RollingChange(programs, _) => programs,
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

/// Longer than a consumer's session timeout.
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
            Fault::RollingChange(programs, time) => {
                let programs = programs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", then ");
                write!(f, "change {programs} to another version and back, with both together for {}", seconds(time))
            }
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
