//! Keeps one program running: restarts it when it dies, stops it on request.

use std::{
    ffi::OsString,
    path::PathBuf,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context;
use nix::sys::signal::Signal;
use saga::shutdown::{Shutdown, Stop};
use tokio::{sync::watch, task::JoinHandle, time::Instant};

use super::super::{
    process::{self, Process},
    reporter::Reporter,
    until,
};

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Uptime after which a program counts as recovered from what killed it.
const HEALTHY_AFTER: Duration = Duration::from_secs(10);
/// Time allowed to finish work in progress.
const STOPS_WITHIN: Duration = Duration::from_secs(15);

/// Start parameters of a program.
#[derive(Debug, Clone)]
pub struct Launch {
    pub name: String,
    pub binary: PathBuf,
    pub arguments: Vec<OsString>,
    pub variables: Vec<(String, String)>,
    pub log: PathBuf,
}

/// State of a supervised program.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Life {
    /// The process id of the latest run.
    pub pid: Option<u32>,
    /// Number of unrequested ends.
    pub deaths: u32,
}

/// A supervised program. Killed when dropped.
#[derive(Debug)]
pub struct Supervisor {
    launch: Launch,
    life: watch::Receiver<Life>,
    stop: Stop,
    keeper: JoinHandle<anyhow::Result<()>>,
}

impl Supervisor {
    /// Starts the program and keeps it running. Calls `changed` after every start.
    ///
    /// # Errors
    /// If it can't be started the first time.
    pub fn start(launch: Launch, reporter: Reporter, changed: impl Fn(u32) + Send + 'static) -> anyhow::Result<Self> {
        let process = launch.spawn()?;
        let (tell, life) = watch::channel(Life::default());
        let (stop, shutdown) = Shutdown::by_hand();
        let keeper = Keeper { launch: launch.clone(), reporter, shutdown, tell, changed: Box::new(changed) };
        Ok(Self { launch, life, stop, keeper: tokio::spawn(keeper.keep(process)) })
    }

    /// The current state.
    pub fn life(&self) -> Life {
        *self.life.borrow()
    }

    /// Waits until the program answers `GET /readyz` at `url` with 200.
    ///
    /// # Errors
    /// If it does not within `bound`, or dies repeatedly; the error has its last answer, which says what is not ready, and
    /// ends with the last lines of its log.
    pub async fn ready(&self, url: &str, bound: Duration) -> anyhow::Result<()> {
        let client = reqwest::Client::new();
        let what = format!("{} is ready", self.launch.name);
        let last = Mutex::new(String::from("none"));
        let ready = until(&what, bound, async || {
            let deaths = self.life().deaths;
            match readiness(&client, url).await {
                Ok(()) => return Some(Ok(())),
                Err(why) => *last.lock().unwrap_or_else(PoisonError::into_inner) = why,
            }
            (deaths > 3).then(|| Err(anyhow::anyhow!("{} died {deaths} times", self.launch.name)))
        });
        ready.await.and_then(|answer| answer).map_err(|error| {
            let process = self.life().pid.map_or_else(|| "no process".to_owned(), process::observed);
            let last = last.lock().unwrap_or_else(PoisonError::into_inner);
            let error = error.context(process).context(format!("the last answer of /readyz: {last}"));
            process::explained(&error, &self.launch.log)
        })
    }

    /// Asks the program to stop and waits until it has.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        self.stop.now();
        (&mut self.keeper).await.with_context(|| format!("stopping {}", self.launch.name))?
    }
}

/// Asks the program at `url` once; the error is its answer, or why there is none.
async fn readiness(client: &reqwest::Client, url: &str) -> Result<(), String> {
    let asked = async {
        let answer = client.get(format!("{url}/readyz")).timeout(Duration::from_secs(2)).send().await?;
        let status = answer.status();
        Ok::<_, reqwest::Error>((status, answer.text().await?))
    };
    match asked.await {
        Ok((status, _)) if status.is_success() => Ok(()),
        Ok((status, text)) => Err(format!("{status}, {}", text.trim_end())),
        Err(error) => Err(format!("{:#}", anyhow::Error::from(error))),
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        // The process is killed with the task that owns it.
        self.keeper.abort();
    }
}

impl Launch {
    fn spawn(&self) -> anyhow::Result<Process> {
        let mut command = process::command(&self.binary, Signal::SIGTERM);
        command.args(&self.arguments).envs(self.variables.iter().map(|(name, value)| (name, value)));
        Process::spawn(&self.name, command, &self.log, Signal::SIGKILL)
    }
}

struct Keeper {
    launch: Launch,
    reporter: Reporter,
    shutdown: Shutdown,
    tell: watch::Sender<Life>,
    changed: Box<dyn Fn(u32) + Send>,
}

impl Keeper {
    async fn keep(self, mut process: Process) -> anyhow::Result<()> {
        let mut pause = FIRST_PAUSE;
        loop {
            let begun = Instant::now();
            if let Some(pid) = process.pid() {
                self.tell.send_modify(|life| life.pid = Some(pid));
                (self.changed)(pid);
            }
            let status = tokio::select! {
                status = process.ended() => status?,
                () = self.shutdown.requested() => {
                    process.stop(&[(Signal::SIGTERM, STOPS_WITHIN)]).await?;
                    return Ok(());
                }
            };
            self.tell.send_modify(|life| life.deaths += 1);
            if begun.elapsed() >= HEALTHY_AFTER {
                pause = FIRST_PAUSE;
            }
            self.reporter.note(format!("{} ended with {status}: starting it again", self.launch.name));
            process = loop {
                if !self.shutdown.sleep(pause).await {
                    return Ok(());
                }
                pause = (pause * 2).min(LONGEST_PAUSE);
                match self.launch.spawn() {
                    Ok(process) => break process,
                    Err(error) => self.reporter.note(format!("{} can't be started: {error:#}", self.launch.name)),
                }
            };
        }
    }
}
