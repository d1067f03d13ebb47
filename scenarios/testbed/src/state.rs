//! The directory of one run: logs and mails, kept for whoever wants to read them afterwards.

use std::{
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use anyhow::Context;

/// `.scenarios/<run>` under the current directory, or under the temporary directory where that can't be written.
#[derive(Debug, Clone)]
pub struct StateDir(PathBuf);

impl StateDir {
    /// Makes a new one.
    pub fn create() -> anyhow::Result<Self> {
        let here = std::env::current_dir().context("finding the current directory")?;
        Self::create_in(&here).or_else(|_| Self::create_in(&std::env::temp_dir()))
    }

    /// Makes a new one under `parent`, named by time and process id.
    pub fn create_in(parent: &Path) -> anyhow::Result<Self> {
        let run = format!("{}-{}", chrono::Local::now().format("%Y%m%d-%H%M%S"), std::process::id());
        let state = Self(parent.join(".scenarios").join(run));
        for directory in [state.logs(), state.mail()] {
            // Mails and logs tell who bought what.
            let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&directory);
            made.with_context(|| format!("making the directory {}", directory.display()))?;
        }
        Ok(state)
    }

    pub fn logs(&self) -> PathBuf {
        self.0.join("logs")
    }

    /// The file that takes what `program` prints.
    pub fn log_of(&self, program: &str) -> PathBuf {
        self.logs().join(format!("{program}.log"))
    }

    /// The payment gateway's books.
    pub fn ledger(&self) -> PathBuf {
        self.0.join("gateway-ledger.jsonl")
    }

    /// Where mails are put if nobody named a mail server.
    pub fn mail(&self) -> PathBuf {
        self.0.join("mail")
    }
}
