//! The kinds of faults, and the time within which orders have to flow again after each.

use std::{fmt, time::Duration};

/// A kind of fault. A run draws every kind once before any repeats, and reports recovery times by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    KillService,
    KillRelay,
    KillGateway,
    Freeze,
    FreezePastSession,
    FreezeInTransaction,
    LostHost,
    SecondInstance,
    SecondRelay,
    RollingChange,
    CrashPostgres,
    StrandedDatabase,
    SilentDatabase,
    PartitionedDatabase,
    HeldTransaction,
    LockedTable,
    StatementTimeout,
    LockTimeout,
    StopKafka,
    SilentKafka,
    PartitionedKafka,
    RejectedWrites,
    SlowNetwork,
    Repeat,
    BadRequests,
    HostileRecords,
    ClockAhead,
    ShortDeadlines,
}

impl Kind {
    pub const ALL: [Kind; 28] = [
        Kind::KillService,
        Kind::KillRelay,
        Kind::KillGateway,
        Kind::Freeze,
        Kind::FreezePastSession,
        Kind::FreezeInTransaction,
        Kind::LostHost,
        Kind::SecondInstance,
        Kind::SecondRelay,
        Kind::RollingChange,
        Kind::CrashPostgres,
        Kind::StrandedDatabase,
        Kind::SilentDatabase,
        Kind::PartitionedDatabase,
        Kind::HeldTransaction,
        Kind::LockedTable,
        Kind::StatementTimeout,
        Kind::LockTimeout,
        Kind::StopKafka,
        Kind::SilentKafka,
        Kind::PartitionedKafka,
        Kind::RejectedWrites,
        Kind::SlowNetwork,
        Kind::Repeat,
        Kind::BadRequests,
        Kind::HostileRecords,
        Kind::ClockAhead,
        Kind::ShortDeadlines,
    ];

    /// Name in tables and for `--only`.
    pub fn name(self) -> &'static str {
        match self {
            Kind::KillService => "kill-service",
            Kind::KillRelay => "kill-relay",
            Kind::KillGateway => "kill-gateway",
            Kind::Freeze => "freeze",
            Kind::FreezePastSession => "freeze-past-session",
            Kind::FreezeInTransaction => "freeze-in-transaction",
            Kind::LostHost => "lost-host",
            Kind::SecondInstance => "second-instance",
            Kind::SecondRelay => "second-relay",
            Kind::RollingChange => "rolling-change",
            Kind::CrashPostgres => "crash-postgres",
            Kind::StrandedDatabase => "stranded-database",
            Kind::SilentDatabase => "silent-database",
            Kind::PartitionedDatabase => "partitioned-database",
            Kind::HeldTransaction => "held-transaction",
            Kind::LockedTable => "locked-table",
            Kind::StatementTimeout => "statement-timeout",
            Kind::LockTimeout => "lock-timeout",
            Kind::StopKafka => "stop-kafka",
            Kind::SilentKafka => "silent-kafka",
            Kind::PartitionedKafka => "partitioned-kafka",
            Kind::RejectedWrites => "rejected-writes",
            Kind::SlowNetwork => "slow-network",
            Kind::Repeat => "repeat",
            Kind::BadRequests => "bad-requests",
            Kind::HostileRecords => "hostile-records",
            Kind::ClockAhead => "clock-ahead",
            Kind::ShortDeadlines => "short-deadlines",
        }
    }

    /// The promised maximum recovery time.
    pub fn target(self) -> Option<Duration> {
        match self {
            Kind::KillService | Kind::KillRelay => Some(Duration::from_secs(3)),
            Kind::StopKafka => Some(Duration::from_secs(5)),
            Kind::StrandedDatabase | Kind::SilentDatabase => Some(Duration::from_secs(10)),
            _ => None,
        }
    }

    /// Only a broker in a process of its own can be stopped, and only Kafka has a listener for each program.
    pub fn needs_kafka(self) -> bool {
        matches!(self, Kind::StopKafka | Kind::SilentKafka | Kind::PartitionedKafka | Kind::RejectedWrites)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl std::str::FromStr for Kind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Kind::ALL.into_iter().find(|kind| kind.name() == name);
        found.ok_or_else(|| format!("there is no fault `{name}`; there are {}", Kind::ALL.map(Kind::name).join(", ")))
    }
}
