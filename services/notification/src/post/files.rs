//! Mail as files, if there is no mail system: one `.eml` each, which any mail program can open and only the owner can read.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use anyhow::Context;
use uuid::Uuid;

use super::NotTaken;

/// A directory of mails.
pub(super) struct Files {
    directory: PathBuf,
}

impl Files {
    pub(super) fn new(directory: PathBuf) -> anyhow::Result<Self> {
        // An existing directory keeps its permissions, which may be shared on purpose.
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&directory)
            .with_context(|| format!("creating the directory for mails, MAIL_DIR {}", directory.display()))?;
        Ok(Files { directory })
    }

    /// Writes a mail atomically; a repetition replaces the same mail.
    pub(super) async fn put(&self, name: &str, mail: Vec<u8>) -> Result<(), NotTaken> {
        let path = self.directory.join(format!("{name}.eml"));
        let draft = self.directory.join(format!(".{}.draft", Uuid::new_v4().simple()));
        let not_taken = format!("writing {}", path.display());
        // One task on a blocking thread for the whole operation.
        let replaced = tokio::task::spawn_blocking(move || replace(&draft, &path, &mail)).await;
        let replaced = replaced.unwrap_or_else(|panic| Err(io::Error::other(panic)));
        replaced.map_err(|error| NotTaken::Yet(format!("{not_taken}: {error}")))
    }
}

fn replace(draft: &Path, path: &Path, mail: &[u8]) -> io::Result<()> {
    let write = || OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft)?.write_all(mail);
    let written = write().and_then(|()| fs::rename(draft, path));
    if written.is_err() {
        // The draft is useless now, and the error has been returned already.
        let _ = fs::remove_file(draft);
    }
    written
}
