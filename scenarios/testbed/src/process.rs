//! A child process that is never left behind: it is stopped in order, killed when its owner is dropped, or signalled by the
//! kernel when its owner has died.

use std::{
    ffi::OsStr,
    fs::File,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::LazyLock,
    time::Duration,
};

use anyhow::Context;
use nix::{
    sys::{
        signal::{Signal, kill},
        wait::waitpid,
    },
    unistd::Pid,
};
use tokio::process::{Child, Command};

/// A running program. Its output goes to its log.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    log: PathBuf,
    child: Child,
    /// The signal that ends it at once without leaving anything behind.
    last_resort: Signal,
}

/// A command for `program` that gets `farewell` from the kernel when the thread that spawned it is gone, so also when we are
/// killed. Without util-linux's `setpriv` it gets no such signal, and only an orderly end stops it.
pub fn command(program: impl AsRef<OsStr>, farewell: Signal) -> Command {
    static SETPRIV: LazyLock<bool> = LazyLock::new(|| {
        let probe = std::process::Command::new("setpriv").args(["--pdeathsig", "TERM", "--", "true"]).output();
        probe.is_ok_and(|output| output.status.success())
    });
    if !*SETPRIV {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.arg("--pdeathsig").arg(farewell.as_str().trim_start_matches("SIG")).arg("--").arg(program);
    command
}

impl Process {
    /// Starts `command` with its output appended to the file `log`. It gets a process group of its own, so that Ctrl-C in a
    /// terminal reaches only us and we can stop everything in order.
    pub(crate) fn spawn(name: &str, mut command: Command, log: &Path, last_resort: Signal) -> anyhow::Result<Self> {
        let output = File::options().create(true).append(true).open(log);
        let output = output.with_context(|| format!("opening the log {}", log.display()))?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output).process_group(0);
        let child = command.spawn().with_context(|| format!("starting {name}"))?;
        Ok(Self { name: name.to_owned(), log: log.to_owned(), child, last_resort })
    }

    /// The process id, while it runs.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Returns when it has ended; cancel-safe, and may be called again.
    pub(crate) async fn ended(&mut self) -> anyhow::Result<ExitStatus> {
        self.child.wait().await.with_context(|| format!("waiting for {}", self.name))
    }

    /// Sends each signal in turn and waits for its time, until the process has ended.
    ///
    /// # Errors
    /// If it survives even SIGKILL, which comes last.
    pub(crate) async fn stop(mut self, signals: &[(Signal, Duration)]) -> anyhow::Result<ExitStatus> {
        self.end(signals).await
    }

    /// As [`stop`](Self::stop), but keeps the value, for a process that will be replaced.
    pub(crate) async fn end(&mut self, signals: &[(Signal, Duration)]) -> anyhow::Result<ExitStatus> {
        for &(signal, patience) in signals.iter().chain(&[(Signal::SIGKILL, Duration::from_secs(10))]) {
            self.send(signal);
            if let Ok(status) = tokio::time::timeout(patience, self.ended()).await {
                return status;
            }
        }
        anyhow::bail!("{} does not end", self.name)
    }

    /// The end of its log, to explain a failure.
    pub(crate) fn last_words(&self) -> String {
        last_words(&self.log)
    }

    fn send(&self, signal: Signal) {
        if let Some(pid) = self.child.id().and_then(|pid| i32::try_from(pid).ok()) {
            // Failure means that it no longer exists, which is what we want.
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.send(self.last_resort);
        if let Some(pid) = self.child.id().and_then(|pid| i32::try_from(pid).ok()) {
            let _ = waitpid(Pid::from_raw(pid), None);
        }
    }
}

/// Checks that `program` is installed.
///
/// # Errors
/// If it is not; the error names the Debian package, and what needs it.
pub(crate) async fn require(program: &str, package: &str, what: &str) -> anyhow::Result<()> {
    let ask = Command::new(program).arg(if program == "java" { "-version" } else { "--version" }).output();
    anyhow::ensure!(
        ask.await.is_ok_and(|run| run.status.success()),
        "`{program}`, which {what} needs, is missing; on Debian or Ubuntu: apt-get install {package}"
    );
    Ok(())
}

/// The kernel's view of a process that does not respond: its name (`setpriv` until it has become the program), its state and what
/// it waits in.
pub(crate) fn observed(pid: u32) -> String {
    let read = |what: &str| std::fs::read_to_string(format!("/proc/{pid}/{what}")).unwrap_or_default();
    let status = read("status");
    let line = |name: &str| {
        let found = status.lines().find_map(|line| line.strip_prefix(name));
        found.map(|value| value.trim_start_matches(':').trim().to_owned())
    };
    match (line("Name"), line("State"), line("Threads")) {
        (Some(name), Some(state), Some(threads)) => {
            format!("process {pid} ({name}) is {state}, in {}, with {threads} threads", read("wchan"))
        }
        _ => format!("process {pid} is gone"),
    }
}

/// `error` with the last lines of the program's log.
pub(crate) fn explained(error: &anyhow::Error, log: &Path) -> anyhow::Error {
    anyhow::anyhow!("{error:#}; {}", last_words(log))
}

/// The last lines of a log, and its path.
fn last_words(log: &Path) -> String {
    const LINES: usize = 15;
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    let tail = lines[lines.len().saturating_sub(LINES)..].join("\n  ");
    let tail = if tail.is_empty() { "(nothing)".to_owned() } else { tail };
    format!("the end of its log, {}:\n  {tail}", log.display())
}
