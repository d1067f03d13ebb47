//! Mail as files, where there is no mail system: one `.eml` each, which every mail program opens, and which only their owner
//! can read.

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
        // One that is there already may be shared on purpose.
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&directory)
            .with_context(|| format!("making the directory for mails, MAIL_DIR {}", directory.display()))?;
        Ok(Files { directory })
    }

    /// Puts a mail there as a whole or not at all; again, it takes the place of the same mail.
    pub(super) async fn put(&self, name: &str, mail: Vec<u8>) -> Result<(), NotTaken> {
        let path = self.directory.join(format!("{name}.eml"));
        let draft = self.directory.join(format!(".{}.draft", Uuid::new_v4().simple()));
        let not_taken = format!("writing {}", path.display());
        // One trip to a thread that may block, for all of it.
        let replaced = tokio::task::spawn_blocking(move || replace(&draft, &path, &mail)).await;
        let replaced = replaced.unwrap_or_else(|panic| Err(io::Error::other(panic)));
        replaced.map_err(|error| NotTaken::Yet(format!("{not_taken}: {error}")))
    }
}

fn replace(draft: &Path, path: &Path, mail: &[u8]) -> io::Result<()> {
    let write = || OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft)?.write_all(mail);
    let written = write().and_then(|()| fs::rename(draft, path));
    if written.is_err() {
        // What is left of it is of no use to anyone, and the error is told already.
        let _ = fs::remove_file(draft);
    }
    written
}
