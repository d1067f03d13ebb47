//! Doing what the plan says. What lasts goes on beside the next deeds; when all is done, nothing is left frozen or stopped.

use std::time::Duration;

use anyhow::{Context, bail};
use kit::record::Record;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use rand::{SeedableRng, rngs::StdRng, seq::IteratorRandom};
use tokio::{sync::watch, task::JoinSet};

use super::{Deed, Diary, garbage, open_transaction, records::Records};
use crate::{
    archive, listener,
    stack::{Environment, Pids, Program, Stack, Started, Supervisor},
};

/// Does one deed after the other.
pub(super) struct Doer<'a> {
    stack: &'a mut Stack,
    environment: Environment,
    pids: watch::Receiver<Pids>,
    records: Records,
    random: StdRng,
    diary: Diary,
    lasting: JoinSet<anyhow::Result<()>>,
    deeds: usize,
    kills: usize,
}

impl<'a> Doer<'a> {
    pub(super) fn new(stack: &'a mut Stack, seed: u64, diary: Diary) -> anyhow::Result<Self> {
        let environment = stack.environment().clone();
        let pids = stack.pids().context("chaos needs a system of its own to shake")?;
        Ok(Doer {
            records: Records::new(&environment.brokers)?,
            stack,
            environment,
            pids,
            random: StdRng::seed_from_u64(seed),
            diary,
            lasting: JoinSet::new(),
            deeds: 0,
            kills: 0,
        })
    }

    /// Does the deed, or begins it if it lasts.
    pub(super) async fn begin(&mut self, deed: Deed) -> anyhow::Result<()> {
        self.diary.note(deed.to_string());
        self.deeds += 1;
        match deed {
            Deed::Kill(program) => {
                self.kills += 1;
                self.signal(program, Signal::SIGKILL);
            }
            Deed::Freeze(program, time) => self.freeze(program, time),
            Deed::HoldTransaction(database, time) => {
                let (environment, diary) = (self.environment.clone(), self.diary.clone());
                self.lasting.spawn(async move {
                    // The crash of a server ends it before its time; that is trouble enough.
                    match open_transaction::hold(&environment, database, time).await {
                        Ok(()) => diary.note(format!("  the transaction in {database} is rolled back")),
                        Err(error) => diary.note(format!("  the transaction in {database} is lost: {error:#}")),
                    }
                    Ok(())
                });
            }
            Deed::CrashPostgres => {
                let foundation = self.stack.foundation().context("there is no PostgreSQL of ours")?;
                foundation.postgres.crash_and_recover().await?;
                self.diary.note("  PostgreSQL is back");
            }
            Deed::StopKafka(time) => self.stop_kafka(time).await?,
            Deed::Repeat { records } => self.repeat(records).await?,
            Deed::Litter { records } => {
                for _ in 0..records {
                    let record = garbage::draw(&mut self.random);
                    self.records.publish(&record).await?;
                }
            }
            Deed::SecondRelay(time) => {
                let second = self.start_second(Program::OutboxRelay)?;
                self.freeze(Program::OutboxRelay, time);
                self.stop_after(second, Program::OutboxRelay, time * 2);
            }
            Deed::SecondInstance(program, time) => {
                let second = self.start_second(program)?;
                self.stop_after(second, program, time);
            }
        }
        Ok(())
    }

    /// Waits for what lasts; how many deeds there were, and how many of them were kills.
    pub(super) async fn finish(mut self) -> anyhow::Result<(usize, usize)> {
        while let Some(ended) = self.lasting.join_next().await {
            ended??;
        }
        Ok((self.deeds, self.kills))
    }

    fn signal(&self, program: Program, signal: Signal) {
        send(self.pids.borrow().get(&program).copied(), signal);
    }

    fn freeze(&mut self, program: Program, time: Duration) {
        let pid = self.pids.borrow().get(&program).copied();
        send(pid, Signal::SIGSTOP);
        let diary = self.diary.clone();
        self.lasting.spawn(async move {
            tokio::time::sleep(time).await;
            // The same process: if it was killed meanwhile, its successor is not frozen.
            send(pid, Signal::SIGCONT);
            diary.note(format!("  {program} goes on"));
            Ok(())
        });
    }

    fn start_second(&self, program: Program) -> anyhow::Result<Supervisor> {
        self.stack.programs().context("chaos needs a system of its own to shake")?.one_more(program)
    }

    fn stop_after(&mut self, second: Supervisor, program: Program, time: Duration) {
        let diary = self.diary.clone();
        self.lasting.spawn(async move {
            tokio::time::sleep(time).await;
            second.stop().await?;
            diary.note(format!("  the second {program} is gone"));
            Ok(())
        });
    }

    async fn stop_kafka(&mut self, time: Duration) -> anyhow::Result<()> {
        let foundation = self.stack.foundation().context("there is no broker of ours")?;
        let Started::Kafka(kafka) = &mut foundation.broker else { bail!("the embedded broker cannot be stopped") };
        kafka.go_away().await?;
        tokio::time::sleep(time).await;
        kafka.come_back().await?;
        self.diary.note("  Kafka is back");
        Ok(())
    }

    /// Any records of any topics, as they are: events keep their ids, and requests name their orders.
    async fn repeat(&mut self, how_many: usize) -> anyhow::Result<()> {
        let brokers = self.environment.brokers.clone();
        let reading = tokio::task::spawn_blocking(move || {
            let mut all: Vec<Record> = Vec::new();
            archive::read(&brokers, &listener::topics(), |record| all.push(record)).map(|()| all)
        });
        let all = reading.await?.context("reading what there is to repeat")?;
        for record in all.into_iter().filter(names_itself).sample(&mut self.random, how_many) {
            self.records.publish(&record).await?;
        }
        Ok(())
    }
}

/// Events have their ids, and so have requests with an envelope: again they are the same. A bare request that names no
/// order is another one each time, and a dead letter is nobody's.
fn names_itself(record: &Record) -> bool {
    record.headers.iter().any(|(name, _)| name == "ce_id") && !record.topic.ends_with("-dlt")
}

fn send(pid: Option<u32>, signal: Signal) {
    if let Some(pid) = pid.and_then(|pid| i32::try_from(pid).ok()) {
        // Gone already: it is about to be started again.
        let _ = kill(Pid::from_raw(pid), signal);
    }
}
