//! A keyring in a file, which is read again when it changes.

use std::{
    fs::{self, File, Metadata, OpenOptions, Permissions},
    io::{self, Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, chown},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use secrecy::ExposeSecret;
use zeroize::Zeroizing;

use crate::{
    key::{Key, KeyId},
    key_encryption::{KeyEncryption, KeyError},
    keyring::{Keyring, State},
};

/// Access by the group or by others.
const OTHERS: u32 = 0o077;
/// Access by the owner alone.
const PRIVATE: u32 = 0o600;

/// Room for one more line: a text that outgrew its room would leave a copy of the keys in memory, uncleared.
const LINE: usize = 256;

/// A keyring in a file that only its owner may read. Every use sees the file as it is then; a file that has become unreadable
/// is reported, and the keys read before stay in use.
#[derive(Debug)]
pub struct KeyringFile {
    path: PathBuf,
    read: Mutex<LastRead>,
}

#[derive(Debug)]
struct LastRead {
    /// The version that was read last, whether or not it was a keyring.
    stamp: Stamp,
    keyring: Arc<Keyring>,
}

/// What tells one version of a file from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    file: (u64, u64),
    length: u64,
    written: (i64, i64),
    changed: (i64, i64),
}

impl From<&Metadata> for Stamp {
    fn from(file: &Metadata) -> Self {
        Stamp {
            file: (file.dev(), file.ino()),
            length: file.len(),
            written: (file.mtime(), file.mtime_nsec()),
            changed: (file.ctime(), file.ctime_nsec()),
        }
    }
}

impl KeyringFile {
    /// Reads the keyring.
    ///
    /// # Errors
    /// If it cannot be read, others may read it, or it is not a keyring. The error repeats no key.
    pub fn open(path: &Path) -> Result<Self, String> {
        let (text, stamp) = read(path)?;
        let read = Mutex::new(LastRead { stamp, keyring: Arc::new(parse(path, &text)?) });
        Ok(KeyringFile { path: path.to_owned(), read })
    }

    /// As [`open`](Self::open); a file that does not exist is created without keys.
    ///
    /// # Errors
    /// As for [`open`](Self::open), and if it cannot be created.
    pub fn open_or_create(path: &Path) -> Result<Self, String> {
        match OpenOptions::new().write(true).create_new(true).mode(PRIVATE).open(path) {
            Ok(_) => Self::open(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Self::open(path),
            Err(error) => Err(failed("creating", path, &error)),
        }
    }

    /// The path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The keyring as it is now.
    pub fn keyring(&self) -> Arc<Keyring> {
        let mut last = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let unchanged = fs::metadata(&self.path).is_ok_and(|file| Stamp::from(&file) == last.stamp);
        if !unchanged {
            match read(&self.path).and_then(|(text, stamp)| {
                // Also for a version that is no keyring, which is then reported once.
                last.stamp = stamp;
                parse(&self.path, &text)
            }) {
                Ok(keyring) => {
                    tracing::info!(file = %self.path.display(), "the keyring has changed and was read again");
                    last.keyring = Arc::new(keyring);
                }
                Err(error) => {
                    tracing::error!(%error, "the changed keyring cannot be used; going on with the keys read before");
                }
            }
        }
        last.keyring.clone()
    }

    /// Adds a new random key, unless the id is there already; returns whether it was added. The first key is active.
    ///
    /// # Errors
    /// If the file cannot be written; it is unchanged then.
    pub fn add(&self, id: &KeyId) -> Result<bool, String> {
        self.edit(|keyring, text| {
            if keyring.key(id).is_some() {
                return Ok(false);
            }
            if !text.is_empty() && !text.ends_with('\n') {
                text.push('\n');
            }
            let state = if keyring.active().is_ok() { "" } else { " active" };
            let key = Key::generate().to_base64();
            // Piece by piece: formatting would grow a text of its own.
            [id.as_str(), " ", key.expose_secret(), state, "\n"].iter().for_each(|piece| text.push_str(piece));
            Ok(true)
        })
    }

    /// Changes the use of a key; the key that was active before becomes readable. Returns whether anything changed.
    ///
    /// # Errors
    /// If there is no such key, or the file cannot be written; it is unchanged then.
    pub fn set(&self, id: &KeyId, state: State) -> Result<bool, String> {
        self.edit(|keyring, text| {
            let (_, before) = keyring.key(id).ok_or_else(|| KeyError::Unknown(id.clone()).to_string())?;
            if before == state {
                return Ok(false);
            }
            let mut changed = Zeroizing::new(String::with_capacity(text.len() + LINE));
            for line in text.lines() {
                let mut words = line.split_whitespace();
                match (words.next(), words.next(), words.next()) {
                    (Some(this), Some(key), _) if this == id.as_str() => {
                        let word = if state == State::Readable { String::new() } else { format!(" {state}") };
                        [id.as_str(), " ", key, &word].iter().for_each(|piece| changed.push_str(piece));
                    }
                    (Some(this), Some(key), Some("active")) if state == State::Active && !this.starts_with('#') => {
                        [this, " ", key].iter().for_each(|piece| changed.push_str(piece));
                    }
                    _ => changed.push_str(line),
                }
                changed.push('\n');
            }
            *text = changed;
            Ok(true)
        })
    }

    /// Changes the text under a lock, and replaces the file as a whole, durably: a reader sees the old version or the new one.
    fn edit(
        &self,
        change: impl FnOnce(&Keyring, &mut Zeroizing<String>) -> Result<bool, String>,
    ) -> Result<bool, String> {
        let failed = |doing: &str, error: &io::Error| failed(doing, &self.path, error);
        let directory = self.path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // The directory outlives every version of the file, so it carries the lock.
        let lock = File::open(directory).map_err(|error| failed("opening the directory of", &error))?;
        lock.lock().map_err(|error| failed("locking", &error))?;

        let (mut text, _) = read(&self.path)?;
        if !change(&parse(&self.path, &text)?, &mut text)? {
            return Ok(false);
        }
        parse(&self.path, &text)?;
        let old = fs::metadata(&self.path).map_err(|error| failed("reading", &error))?;
        let replace = || -> io::Result<()> {
            let mut new =
                tempfile::Builder::new().permissions(Permissions::from_mode(PRIVATE)).tempfile_in(directory)?;
            new.write_all(text.as_bytes())?;
            // An operator may edit it as root; the service still has to read it.
            chown(new.path(), Some(old.uid()), Some(old.gid()))?;
            new.as_file().set_permissions(Permissions::from_mode(old.mode() & !OTHERS & 0o777))?;
            new.as_file().sync_all()?;
            new.persist(&self.path)?;
            lock.sync_all()
        };
        replace().map_err(|error| failed("replacing", &error))?;
        Ok(true)
    }
}

/// The text of the file, and its version.
fn read(path: &Path) -> Result<(Zeroizing<String>, Stamp), String> {
    let reading = || -> io::Result<(Zeroizing<String>, Metadata)> {
        let mut file = File::open(path)?;
        let metadata = file.metadata()?;
        let mut text = Zeroizing::new(String::with_capacity(metadata.len() as usize + LINE));
        file.read_to_string(&mut text)?;
        Ok((text, metadata))
    };
    let (text, file) = reading().map_err(|error| failed("reading", path, &error))?;
    let shown = path.display();
    match file.mode() & OTHERS {
        0 => Ok((text, Stamp::from(&file))),
        _ => Err(format!("the keyring {shown} can be read or written by others than its owner: chmod 600 {shown}")),
    }
}

fn parse(path: &Path, text: &str) -> Result<Keyring, String> {
    text.parse().map_err(|error| format!("the keyring {}: {error}", path.display()))
}

fn failed(doing: &str, path: &Path, error: &io::Error) -> String {
    format!("{doing} the keyring {}: {error}", path.display())
}

impl KeyEncryption for KeyringFile {
    fn active(&self) -> Result<KeyId, KeyError> {
        self.keyring().active()
    }

    fn wrap(&self, key: &KeyId, data_key: &[u8; 32], context: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.keyring().wrap(key, data_key, context)
    }

    fn unwrap(&self, key: &KeyId, wrapped: &[u8], context: &[u8]) -> Result<Zeroizing<[u8; 32]>, KeyError> {
        self.keyring().unwrap(key, wrapped, context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_room_for_one_more_key() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("keyring");
        let keyring = KeyringFile::open_or_create(&path).expect("created");
        let longest: KeyId = "k".repeat(64).parse().expect("an id");
        for id in ["a", "b"].map(|id| id.parse().expect("an id")).iter().chain([&longest]) {
            let (text, _) = read(&path).expect("read");
            let line = format!("\n{id} {} retired\n", Key::generate().to_base64().expose_secret());
            assert!(text.capacity() - text.len() >= line.len(), "{} of {}", text.len(), text.capacity());
            keyring.add(id).expect("added");
        }
    }
}
