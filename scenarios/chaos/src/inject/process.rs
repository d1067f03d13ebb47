//! Faults of processes: killed, frozen, duplicated.

use std::time::Duration;

use anyhow::{Context, ensure};
use futures::FutureExt;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use testbed::{Launch, Program, Supervisor};
use tokio::time::{Instant, sleep};

use super::{Ended, Ending, Injector, NOT_OURS};
use crate::fault::Patience;

/// Maximum time to wait until a program commits something.
const COMMITS_WITHIN: Duration = Duration::from_secs(10);
/// Number of times that a further instance may end by itself: once, if a server went away while it started.
const TOO_OFTEN: u32 = 2;

impl Injector<'_> {
    pub(super) fn kill(&self, program: Program) -> Ending {
        send(self.pid(program), Signal::SIGKILL);
        async { Ok(Ended::now()) }.boxed()
    }

    pub(super) fn freeze(&self, program: Program, time: Duration) -> Ending {
        let (pid, diary) = (self.pid(program), self.diary.clone());
        send(pid, Signal::SIGSTOP);
        async move {
            sleep(time).await;
            // The same process id: if the process was killed meanwhile, its successor is not frozen.
            send(pid, Signal::SIGCONT);
            diary.note(format!("  {program} continues"));
            Ok(Ended::now())
        }
        .boxed()
    }

    pub(super) fn freeze_in_transaction(&self, program: Program, time: Duration) -> anyhow::Result<Ending> {
        let second = self.start_second(program, |_| {})?;
        let network = self.stack.network().context(NOT_OURS)?;
        let (pid, diary) = (self.pid(program), self.diary.clone());
        Ok(async move {
            let line = network.databases_of(program).next().context("a service has a line to its database")?;
            if line.strand_at_commit(COMMITS_WITHIN).await.is_err() {
                second.stop().await?;
                return Ok(Ended::LeftOut(format!("{program} committed nothing")));
            }
            send(pid, Signal::SIGSTOP);
            diary.note(format!("  {program} is frozen before its commit"));
            let rest = async move {
                sleep(time).await;
                send(pid, Signal::SIGCONT);
                diary.note(format!("  {program} continues"));
                // Let both run for a while.
                sleep(Duration::from_secs(2)).await;
                second.stop().await
            };
            Ok(Ended::At(Instant::now(), Some(rest.boxed())))
        }
        .boxed())
    }

    pub(super) fn lose_host(&self, program: Program) -> anyhow::Result<Ending> {
        let network = self.stack.network().context(NOT_OURS)?;
        let (pids, diary) = (self.pids.clone(), self.diary.clone());
        Ok(async move {
            let line = network.databases_of(program).next().context("a service has a line to its database")?;
            if line.strand_at_commit(COMMITS_WITHIN).await.is_err() {
                return Ok(Ended::LeftOut(format!("{program} committed nothing")));
            }
            // Neither PostgreSQL nor Kafka learns that it has ended.
            network.databases_of(program).for_each(|line| line.strand());
            network.kafka_of(program).into_iter().for_each(|line| line.strand());
            send(pids.borrow().get(&program).copied(), Signal::SIGKILL);
            diary.note(format!("  the host of {program} is gone before its commit"));
            Ok(Ended::now())
        }
        .boxed())
    }

    pub(super) fn second(
        &self,
        program: Program,
        time: Duration,
        change: impl FnOnce(&mut Launch),
    ) -> anyhow::Result<Ending> {
        let second = self.start_second(program, change)?;
        let diary = self.diary.clone();
        Ok(async move {
            sleep(time).await;
            let deaths = second.life().deaths;
            second.stop().await?;
            // A fault that cannot even be injected would be survived by everybody.
            ensure!(deaths < TOO_OFTEN, "the second {program} does not stay up: it ended {deaths} times; see its log");
            diary.note(format!("  the second {program} is gone"));
            Ok(Ended::now())
        }
        .boxed())
    }

    pub(super) fn short_deadlines(&self, time: Duration) -> anyhow::Result<Ending> {
        self.second(Program::ORDER, time, |launch| {
            launch.variables.push(("ORDER_TIMEOUT_SECONDS".to_owned(), "1".to_owned()));
        })
    }

    /// Sessions take settings from the URL before their own.
    pub(super) fn impatient(&self, program: Program, patience: Patience, time: Duration) -> anyhow::Result<Ending> {
        self.second(program, time, |launch| {
            for (_, url) in launch.variables.iter_mut().filter(|(name, _)| name == "DATABASE_URL") {
                // A secured system's URL has parameters already.
                let separator = if url.contains('?') { '&' } else { '?' };
                url.push_str(&format!("{separator}options[{}]=50", patience.setting()));
            }
        })
    }

    /// Only the time of day is ahead, as on a machine with a wrong clock. Uses the library directly, because the program
    /// `faketime` would be the parent process and pass on no signals.
    pub(super) fn clock_ahead(&self, program: Program, time: Duration) -> anyhow::Result<Ending> {
        let Some(library) = libfaketime() else {
            return Ok(async { Ok(Ended::LeftOut("`faketime` is not installed".to_owned())) }.boxed());
        };
        self.second(program, time, |launch| {
            let settings =
                [("LD_PRELOAD", library.as_str()), ("FAKETIME", "+2d"), ("FAKETIME_DONT_FAKE_MONOTONIC", "1")];
            launch.variables.extend(settings.map(|(name, value)| (name.to_owned(), value.to_owned())));
        })
    }

    /// The first relay is frozen until its lease has expired; meanwhile the second takes over.
    pub(super) fn second_relay(&self, time: Duration) -> anyhow::Result<Ending> {
        let second = self.start_second(Program::OUTBOX_RELAY, |_| {})?;
        let (pid, diary) = (self.pid(Program::OUTBOX_RELAY), self.diary.clone());
        send(pid, Signal::SIGSTOP);
        let frozen_at = Instant::now();
        Ok(async move {
            let rest = async move {
                sleep(time).await;
                send(pid, Signal::SIGCONT);
                diary.note("  the first relay continues");
                sleep(time).await;
                second.stop().await?;
                diary.note("  the second relay is gone");
                Ok(())
            };
            Ok(Ended::At(frozen_at, Some(rest.boxed())))
        }
        .boxed())
    }

    fn start_second(&self, program: Program, change: impl FnOnce(&mut Launch)) -> anyhow::Result<Supervisor> {
        self.stack.programs().context(NOT_OURS)?.one_more(program, change)
    }
}

/// Path of the library in Debian's package `faketime`, if it is installed.
fn libfaketime() -> Option<String> {
    let architectures = std::fs::read_dir("/usr/lib").ok()?;
    let libraries = architectures.flatten().map(|entry| entry.path().join("faketime/libfaketime.so.1"));
    libraries.into_iter().find(|library| library.is_file())?.to_str().map(str::to_owned)
}

fn send(pid: Option<u32>, signal: Signal) {
    if let Some(pid) = pid.and_then(|pid| i32::try_from(pid).ok()) {
        // The process may already be gone and about to be restarted.
        let _ = kill(Pid::from_raw(pid), signal);
    }
}
