//! A child process that is never left behind: stopped in order, or killed when its owner is dropped, or told by the kernel
//! that its owner is gone.

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
    /// What ends it at once, without leaving anything of its own behind.
    last_resort: Signal,
}

/// A command for `program` that gets `farewell` from the kernel when the thread that spawned it is gone, so also when we
/// are killed. Where util-linux's `setpriv` is missing, it gets nothing and only an orderly end takes it along.
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
    /// Starts `command`, its output appended to the file `log`. It is a process group of its own, so that Ctrl-C in a
    /// terminal reaches us alone and we end everything in its order.
    pub(crate) fn spawn(name: &str, mut command: Command, log: &Path, last_resort: Signal) -> anyhow::Result<Self> {
        let output = File::options().create(true).append(true).open(log);
        let output = output.with_context(|| format!("opening the log {}", log.display()))?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output).process_group(0);
        let child = command.spawn().with_context(|| format!("starting {name}"))?;
        Ok(Self { name: name.to_owned(), log: log.to_owned(), child, last_resort })
    }

    /// The process id, as long as it runs.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Returns when it has ended; safe to drop and to ask again.
    pub(crate) async fn ended(&mut self) -> anyhow::Result<ExitStatus> {
        self.child.wait().await.with_context(|| format!("waiting for {}", self.name))
    }

    /// Sends each signal in turn and gives it its time, until the process has ended.
    ///
    /// # Errors
    /// If it outlives even SIGKILL, which comes last.
    pub(crate) async fn stop(mut self, signals: &[(Signal, Duration)]) -> anyhow::Result<ExitStatus> {
        self.end(signals).await
    }

    /// The same, for one whose place another will take.
    pub(crate) async fn end(&mut self, signals: &[(Signal, Duration)]) -> anyhow::Result<ExitStatus> {
        for &(signal, patience) in signals.iter().chain(&[(Signal::SIGKILL, Duration::from_secs(10))]) {
            self.send(signal);
            if let Ok(status) = tokio::time::timeout(patience, self.ended()).await {
                return status;
            }
        }
        anyhow::bail!("{} does not end", self.name)
    }

    /// The end of its log, for a person who wants to know why it failed.
    pub(crate) fn last_words(&self) -> String {
        last_words(&self.log)
    }

    fn send(&self, signal: Signal) {
        if let Some(pid) = self.child.id().and_then(|pid| i32::try_from(pid).ok()) {
            // Not there any more: just what we want.
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

/// Makes sure that `program` is there.
///
/// # Errors
/// If it is not; the error says which Debian package has it, and what needs it.
pub(crate) async fn require(program: &str, package: &str, what: &str) -> anyhow::Result<()> {
    let ask = Command::new(program).arg(if program == "java" { "-version" } else { "--version" }).output();
    anyhow::ensure!(
        ask.await.is_ok_and(|run| run.status.success()),
        "`{program}`, which {what} needs, is missing; on Debian or Ubuntu: apt-get install {package}"
    );
    Ok(())
}

/// What the kernel knows of a process: its name (before it has become the program, `setpriv`), its state and what it waits in.
/// For one that says nothing itself.
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

/// `error` and what the program said last.
pub(crate) fn explained(error: &anyhow::Error, log: &Path) -> anyhow::Error {
    anyhow::anyhow!("{error:#}; {}", last_words(log))
}

/// The last lines of a log and where the rest is.
fn last_words(log: &Path) -> String {
    const LINES: usize = 15;
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    let tail = lines[lines.len().saturating_sub(LINES)..].join("\n  ");
    let tail = if tail.is_empty() { "(nothing)".to_owned() } else { tail };
    format!("the end of its log, {}:\n  {tail}", log.display())
}
