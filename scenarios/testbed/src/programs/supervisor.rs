//! Keeps one program running: restarts it when it dies, stops it on request.

use std::{ffi::OsString, path::PathBuf, time::Duration};
use transport::Transport;

use anyhow::Context;
use nix::sys::signal::Signal;
use saga::shutdown::{Shutdown, Stop};
use tokio::{sync::watch, task::JoinHandle, time::Instant};

use super::super::{
    process::{self, Process},
    reporter::Reporter,
};

/// Pause between two looks at a program that is not ready.
const LOOK: Duration = Duration::from_millis(20);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Uptime after which a program counts as recovered from what killed it.
const HEALTHY_AFTER: Duration = Duration::from_secs(10);
/// Time allowed to finish work in progress.
const STOPS_WITHIN: Duration = Duration::from_secs(15);
/// Time allowed to stop a program and to start another one in its place.
const EXCHANGED_WITHIN: Duration = Duration::from_secs(45);

/// Start parameters of a program.
#[derive(Debug, Clone)]
pub struct Launch {
    pub name: String,
    pub binary: PathBuf,
    pub arguments: Vec<OsString>,
    pub variables: Vec<(String, String)>,
    pub log: PathBuf,
    /// The way to ask for its health.
    pub transport: Transport,
}

/// State of a supervised program.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Life {
    /// The process id of the latest run.
    pub pid: Option<u32>,
    /// Number of unrequested ends.
    pub deaths: u32,
    /// Number of times that its program was exchanged for another one.
    pub exchanges: u32,
}

/// A supervised program. Killed when dropped.
#[derive(Debug)]
pub struct Supervisor {
    launch: Launch,
    life: watch::Receiver<Life>,
    exchange: watch::Sender<PathBuf>,
    stop: Stop,
    keeper: JoinHandle<anyhow::Result<()>>,
}

/// Exchanges the program under a supervisor for another version of it.
#[derive(Debug, Clone)]
pub struct Exchange {
    name: String,
    binary: watch::Sender<PathBuf>,
    life: watch::Receiver<Life>,
}

impl Exchange {
    /// Stops the program in order and starts this one in its place, with the same settings; returns when it has been started.
    /// The supervisor restarts this one from now on.
    ///
    /// # Errors
    /// If the supervisor is stopped meanwhile, or the other program can't be started.
    pub async fn to(&self, binary: PathBuf) -> anyhow::Result<()> {
        let mut life = self.life.clone();
        let before = life.borrow_and_update().exchanges;
        let shown = binary.display().to_string();
        self.binary.send_replace(binary);
        let started = tokio::time::timeout(EXCHANGED_WITHIN, life.wait_for(|life| life.exchanges != before)).await;
        let started = started.with_context(|| format!("{} can't be exchanged for {shown}", self.name))?;
        started.map(drop).with_context(|| format!("exchanging {}: it is being stopped", self.name))
    }
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
        let (exchange, binary) = watch::channel(launch.binary.clone());
        let keeper = Keeper { launch: launch.clone(), reporter, shutdown, tell, binary, changed: Box::new(changed) };
        Ok(Self { launch, life, exchange, stop, keeper: tokio::spawn(keeper.keep(process)) })
    }

    /// The state, as it changes.
    pub fn watched(&self) -> watch::Receiver<Life> {
        self.life.clone()
    }

    /// A handle with which the program can be exchanged.
    pub fn exchange(&self) -> Exchange {
        Exchange { name: self.launch.name.clone(), binary: self.exchange.clone(), life: self.life.clone() }
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
        self.launch.ready(&self.life, url, bound).await
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
    /// As [`Supervisor::ready`], for a supervised program with this life.
    pub(super) async fn ready(&self, life: &watch::Receiver<Life>, url: &str, bound: Duration) -> anyhow::Result<()> {
        let client = self.transport.http()?.build().context("creating an HTTP client")?;
        let (before, last) = (life.borrow().deaths, Instant::now() + bound);
        loop {
            let Err(why) = readiness(&client, url).await else { return Ok(()) };
            let deaths = life.borrow().deaths - before;
            if deaths <= 3 && Instant::now() < last {
                tokio::time::sleep(LOOK).await;
                continue;
            }
            let error = match deaths {
                0..=3 => anyhow::anyhow!("waited {} s in vain until {} is ready", bound.as_secs(), self.name),
                _ => anyhow::anyhow!("{} died {deaths} times", self.name),
            };
            let process = life.borrow().pid.map_or_else(|| "no process".to_owned(), process::observed);
            let error = error.context(process).context(format!("the last answer of /readyz: {why}"));
            return Err(process::explained(&error, &self.log));
        }
    }

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
    binary: watch::Receiver<PathBuf>,
    changed: Box<dyn Fn(u32) + Send>,
}

impl Keeper {
    async fn keep(mut self, mut process: Process) -> anyhow::Result<()> {
        let mut pause = FIRST_PAUSE;
        loop {
            let begun = Instant::now();
            if let Some(pid) = process.pid() {
                self.tell.send_modify(|life| life.pid = Some(pid));
                (self.changed)(pid);
            }
            let status = tokio::select! {
                status = process.ended() => Some(status?),
                Ok(()) = self.binary.changed() => {
                    process.end(&[(Signal::SIGTERM, STOPS_WITHIN)]).await?;
                    None
                }
                () = self.shutdown.requested() => {
                    process.stop(&[(Signal::SIGTERM, STOPS_WITHIN)]).await?;
                    return Ok(());
                }
            };
            if begun.elapsed() >= HEALTHY_AFTER {
                pause = FIRST_PAUSE;
            }
            // An exchange that was asked for while the program was down takes effect too.
            let exchanged = status.is_none() || self.binary.has_changed().unwrap_or(false);
            if let Some(status) = status {
                self.tell.send_modify(|life| life.deaths += 1);
                self.reporter.note(format!("{} ended with {status}: starting it again", self.launch.name));
            }
            process = match self.again(&mut pause, status.is_none()).await {
                Some(process) => process,
                None => return Ok(()),
            };
            self.tell.send_modify(|life| life.exchanges += u32::from(exchanged));
        }
    }

    /// Starts the program again, at once or after a pause; None at a shutdown.
    async fn again(&mut self, pause: &mut Duration, at_once: bool) -> Option<Process> {
        if !at_once && !self.shutdown.sleep(*pause).await {
            return None;
        }
        loop {
            *pause = (*pause * 2).min(LONGEST_PAUSE);
            self.launch.binary.clone_from(&self.binary.borrow_and_update());
            match self.launch.spawn() {
                Ok(process) => return Some(process),
                Err(error) => self.reporter.note(format!("{} can't be started: {error:#}", self.launch.name)),
            }
            if !self.shutdown.sleep(*pause).await {
                return None;
            }
        }
    }
}
