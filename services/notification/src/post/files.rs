//! Mail as files, for whoever has no mail system: one `.eml` each, which every mail program opens.

use std::{
    io,
    path::{Path, PathBuf},
};

use anyhow::Context;
use tokio::fs;
use uuid::Uuid;

use super::NotTaken;

/// A directory of mails.
pub(super) struct Files {
    directory: PathBuf,
}

impl Files {
    pub(super) fn new(directory: PathBuf) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&directory)
            .with_context(|| format!("making the directory for mails, MAIL_DIR {}", directory.display()))?;
        Ok(Files { directory })
    }

    /// Puts a mail there as a whole or not at all; again, it takes the place of the same mail.
    pub(super) async fn put(&self, name: &str, mail: &[u8]) -> Result<(), NotTaken> {
        let path = self.directory.join(format!("{name}.eml"));
        self.replace(&path, mail).await.map_err(|error| NotTaken::Yet(format!("writing {}: {error}", path.display())))
    }

    async fn replace(&self, path: &Path, mail: &[u8]) -> io::Result<()> {
        let draft = self.directory.join(format!(".{}.draft", Uuid::new_v4().simple()));
        let written = match fs::write(&draft, mail).await {
            Ok(()) => fs::rename(&draft, path).await,
            Err(error) => Err(error),
        };
        if written.is_err() {
            // What is left of it is of no use to anyone, and the error is told already.
            let _ = fs::remove_file(&draft).await;
        }
        written
    }
}
