//! Injects faults. A lasting fault overlaps with the next ones; when all have ended, nothing is left frozen, silent or stopped.

mod broker;
mod database;
mod network;
mod process;
mod rolling;

use std::{
    collections::{BTreeMap, HashSet},
    path::PathBuf,
    sync::Arc,
};

use anyhow::Context;
use events::OrderId;
use futures::future::BoxFuture;
use rand::{SeedableRng, rngs::StdRng};
use testbed::{Environment, Pids, Program, Stack};
use tokio::{
    sync::{Mutex, watch},
    time::Instant,
};

use super::{Diary, Fault, records::Records};

/// How a fault ended.
pub(super) enum Ended {
    /// From this moment on nothing blocks the flow of orders. A remainder may continue, such as a frozen process whose work
    /// others can do.
    At(Instant, Option<Rest>),
    /// The fault could not be injected here, for this reason.
    LeftOut(String),
}

impl Ended {
    fn now() -> Self {
        Ended::At(Instant::now(), None)
    }
}

pub(super) type Rest = BoxFuture<'static, anyhow::Result<()>>;
/// Runs until the fault has ended.
pub(super) type Ending = BoxFuture<'static, anyhow::Result<Ended>>;

/// Injects one fault after the other.
pub(super) struct Injector<'a> {
    stack: &'a mut Stack,
    environment: Environment,
    pids: watch::Receiver<Pids>,
    records: Records,
    random: StdRng,
    diary: Diary,
    /// Other versions of programs.
    next: BTreeMap<Program, PathBuf>,
    /// Held by the rolling change that is under way: one that goes back while another goes ahead would leave events that nobody
    /// reads.
    changing: Arc<Mutex<()>>,
    /// Orders for which forged events were published.
    forgeries: HashSet<OrderId>,
}

impl<'a> Injector<'a> {
    pub(super) fn new(
        stack: &'a mut Stack,
        seed: u64,
        diary: Diary,
        next: BTreeMap<Program, PathBuf>,
    ) -> anyhow::Result<Self> {
        let environment = stack.environment().clone();
        Ok(Injector {
            records: Records::new(&environment.brokers)?,
            pids: stack.pids().context(NOT_OURS)?,
            stack,
            environment,
            random: StdRng::seed_from_u64(seed),
            diary,
            next,
            changing: Arc::default(),
            forgeries: HashSet::new(),
        })
    }

    /// Orders for which forged events were published.
    pub(super) fn into_forgeries(self) -> HashSet<OrderId> {
        self.forgeries
    }

    /// Begins a fault; the caller has to await the returned future, which ends it.
    ///
    /// # Errors
    /// If the system was not started by us, or does not start again.
    pub(super) async fn begin(&mut self, fault: Fault) -> anyhow::Result<Ending> {
        self.diary.note(fault.to_string());
        match fault {
            Fault::Kill(program) => Ok(self.kill(program)),
            Fault::Freeze(program, time) => Ok(self.freeze(program, time)),
            Fault::FreezeInTransaction(program, time) => self.freeze_in_transaction(program, time),
            Fault::LostHost(program) => self.lose_host(program),
            Fault::SecondInstance(program, time) => self.second(program, time, |_| {}),
            Fault::ShortDeadlines(time) => self.short_deadlines(time),
            Fault::ClockAhead(program, time) => self.clock_ahead(program, time),
            Fault::SecondRelay(time) => self.second_relay(time),
            Fault::RollingChange(programs, time) => self.rolling_change(&programs, time),
            Fault::StrandDatabase(program) => self.strand_database(program),
            Fault::Break(program, server, mode, time) => self.break_line(program, server, mode, time),
            Fault::CrashPostgres => self.crash_postgres().await,
            Fault::HoldTransaction(database, time) => Ok(self.hold_transaction(database, time)),
            Fault::LockTable(database, time) => Ok(self.lock_table(database, time)),
            Fault::Impatient(program, patience, time) => self.impatient(program, patience, time),
            Fault::StopKafka(time) => self.stop_kafka(time).await,
            Fault::RejectWrites(time) => Ok(self.reject_writes(time)),
            Fault::Repeat { records } => self.repeat(records).await,
            Fault::BadRequests { records } => self.bad_requests(records).await,
            Fault::HostileRecords { records } => self.hostile_records(records).await,
        }
    }

    fn pid(&self, program: Program) -> Option<u32> {
        self.pids.borrow().get(&program).copied()
    }
}

const NOT_OURS: &str = "chaos needs a system that it started itself";
