//! The directory of one run: logs and mails, which remain for later reading.

use std::{
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use anyhow::Context;

/// `.scenarios/<run>` in the current directory, or in the temporary directory if that is not writable.
#[derive(Debug, Clone)]
pub struct StateDir(PathBuf);

impl StateDir {
    /// Creates a new directory.
    pub fn create() -> anyhow::Result<Self> {
        let here = std::env::current_dir().context("finding the current directory")?;
        Self::create_in(&here).or_else(|_| Self::create_in(&std::env::temp_dir()))
    }

    /// Creates a new directory under `parent`, named by time and process id, with a number if the name is taken: a process may
    /// run several systems at once.
    pub fn create_in(parent: &Path) -> anyhow::Result<Self> {
        let all = parent.join(".scenarios");
        make(&all, true)?;
        let run = format!("{}-{}", chrono::Local::now().format("%Y%m%d-%H%M%S"), std::process::id());
        let mut state = Self(all.join(&run));
        let mut number = 1;
        while let Err(error) = make(&state.0, false) {
            anyhow::ensure!(is_there_already(&error), error);
            number += 1;
            state = Self(all.join(format!("{run}-{number}")));
        }
        make(&state.logs(), false)?;
        make(&state.mail(), false)?;
        Ok(state)
    }

    pub fn logs(&self) -> PathBuf {
        self.0.join("logs")
    }

    /// The file for the output of `program`.
    pub fn log_of(&self, program: &str) -> PathBuf {
        self.logs().join(format!("{program}.log"))
    }

    /// Directory with the passwords of a guarded broker's users.
    pub fn passwords(&self) -> PathBuf {
        self.0.join("passwords")
    }

    /// The payment gateway's books.
    pub fn ledger(&self) -> PathBuf {
        self.0.join("gateway-ledger.jsonl")
    }

    /// Directory for certificates.
    pub fn certs(&self) -> PathBuf {
        self.0.join("certs")
    }

    /// The keyring that wraps the keys of persons.
    pub fn personal_keyring(&self) -> PathBuf {
        self.0.join("personal-keyring")
    }

    /// The key that signs the audit log's heads.
    pub fn audit_signing_key(&self) -> PathBuf {
        self.0.join("audit-signing-key")
    }

    /// The public keys that verify the audit log's heads.
    pub fn audit_public_keys(&self) -> PathBuf {
        self.0.join("audit-public-keys")
    }

    /// The development issuer's key.
    pub fn signing_key(&self) -> PathBuf {
        self.0.join("jwt-signing-key.pem")
    }

    /// Directory for mails if no mail server is configured.
    pub fn mail(&self) -> PathBuf {
        self.0.join("mail")
    }
}

/// Creates a directory that only we can read: mails and logs reveal who bought what.
fn make(directory: &Path, or_find: bool) -> anyhow::Result<()> {
    let made = std::fs::DirBuilder::new().recursive(or_find).mode(0o700).create(directory);
    made.with_context(|| format!("creating the directory {}", directory.display()))
}

fn is_there_already(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::AlreadyExists)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_systems_of_one_process_share_nothing_even_if_they_start_in_the_same_second() {
        let parent = tempfile::tempdir().expect("a directory");
        let all: Vec<StateDir> = (0..20).map(|_| StateDir::create_in(parent.path()).expect("a new one")).collect();
        let ledgers: std::collections::BTreeSet<PathBuf> = all.iter().map(StateDir::ledger).collect();
        assert_eq!(ledgers.len(), all.len());
        assert!(all.iter().all(|state| state.logs().is_dir() && state.mail().is_dir()));
    }
}
