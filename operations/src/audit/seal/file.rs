//! Persists a seal in a file, for the next run.

use std::{
    fs,
    hash::{DefaultHasher, Hasher},
    io::Write,
    path::Path,
    sync::OnceLock,
};

use anyhow::Context;

use super::Seal;

/// First line of the file. The second is the digest of the program that wrote it.
const MAGIC: &[u8] = b"purchase-saga seal\n";

impl Seal {
    /// The saved seal; None if there is none, or if another program wrote it.
    ///
    /// # Errors
    /// If the file cannot be read, or is no seal.
    pub fn load(path: &Path) -> anyhow::Result<Option<Self>> {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("reading {}", path.display())),
        };
        let no_seal = || format!("{} is no seal: name another file, or remove it", path.display());
        let bytes = bytes.strip_prefix(MAGIC).with_context(no_seal)?;
        let Some(bytes) = bytes.strip_prefix(program()?.as_bytes()) else {
            tracing::warn!("{} was sealed by another version of this program; everything is examined", path.display());
            return Ok(None);
        };
        Ok(Some(postcard::from_bytes(bytes).ok().with_context(no_seal)?))
    }

    /// Replaces the saved seal atomically. Only the owner can read the file: it contains details of orders in flight.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: &Path) -> anyhow::Result<()> {
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let program = program()?;
        let save = || {
            // Created so that only its owner can open it.
            let mut file = tempfile::NamedTempFile::new_in(directory)?;
            file.write_all(MAGIC)?;
            file.write_all(program.as_bytes())?;
            file.write_all(&postcard::to_stdvec(self).map_err(std::io::Error::other)?)?;
            file.as_file().sync_all()?;
            file.persist(path)?;
            Ok::<(), std::io::Error>(())
        };
        save().with_context(|| format!("writing {}", path.display()))
    }
}

/// Digest of the running program: another version may decide differently.
///
/// # Errors
/// If its file cannot be read.
fn program() -> anyhow::Result<String> {
    static PROGRAM: OnceLock<String> = OnceLock::new();
    if let Some(program) = PROGRAM.get() {
        return Ok(program.clone());
    }
    // On Linux this is the running program even if its file has been replaced since.
    let running = fs::read("/proc/self/exe").or_else(|_| fs::read(std::env::current_exe()?));
    let mut hasher = DefaultHasher::new();
    hasher.write(&running.context("reading this program's file")?);
    Ok(PROGRAM.get_or_init(|| format!("{:016x}", hasher.finish())).clone())
}
