//! The ledger's file: one JSON line for every answered request, append-only.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{BufRead, BufReader, BufWriter, Seek, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use anyhow::Context;

use crate::{ledger::Ledger, request::Record};

/// It records who paid what, so only its owner may read it.
const PRIVATE: u32 = 0o600;

/// Locked by one program at a time.
#[derive(Debug)]
pub struct Journal {
    file: File,
    path: PathBuf,
}

impl Journal {
    /// Opens or creates the file and reads the ledger from it. An incomplete last line was never answered, so it is cut off. Any
    /// other line that is not a record is an error. A file of an earlier version, which has cards' tokens, is replaced by one
    /// with their fingerprints.
    pub fn open(path: &Path) -> anyhow::Result<(Journal, Ledger)> {
        let shown = path.display();
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(PRIVATE)
            .open(path)
            .with_context(|| format!("opening the ledger file {shown}"))?;
        // A file created by an earlier version may be readable by everyone.
        file.set_permissions(Permissions::from_mode(PRIVATE))
            .with_context(|| format!("restricting the permissions of the ledger file {shown}"))?;
        file.try_lock().with_context(|| format!("locking the ledger file {shown}; does another gateway use it?"))?;

        let mut ledger = Ledger::default();
        let mut lines = BufReader::new(&file);
        let mut line = String::new();
        let mut whole: u64 = 0;
        let mut has_tokens = false;
        for number in 1.. {
            line.clear();
            let read = lines.read_line(&mut line).with_context(|| format!("reading line {number} of {shown}"))?;
            if !line.ends_with('\n') {
                break;
            }
            ledger.record(parsed(&line).with_context(|| format!("line {number} of {shown} is not a record"))?);
            has_tokens |= line.contains("\"token\"");
            whole += read as u64;
        }
        if file.metadata()?.len() > whole {
            tracing::warn!(file = %shown, "the ledger's incomplete last line was never answered; cutting it off");
            file.set_len(whole).with_context(|| format!("cutting {shown} to {whole} bytes"))?;
        }
        let file = match has_tokens {
            true => without_tokens(&file, path).with_context(|| format!("replacing the tokens in {shown}"))?,
            false => file,
        };
        Ok((Journal { file, path: path.to_owned() }, ledger))
    }

    /// Appends a record, which is durable after the next [`sync`](Self::sync). After an error the file is as before.
    pub fn append(&self, record: &Record) -> anyhow::Result<()> {
        let before = self.file.metadata()?.len();
        let mut line = serde_json::to_vec(record)?;
        line.push(b'\n');
        let mut file = &self.file;
        file.write_all(&line)
            .or_else(|error| file.set_len(before).and(Err(error)))
            .with_context(|| self.doing("writing"))
    }

    /// Returns when everything appended before is on disk.
    pub fn sync(&self) -> anyhow::Result<()> {
        self.file.sync_data().with_context(|| self.doing("syncing"))
    }

    fn doing(&self, what: &str) -> String {
        format!("{what} the ledger file {}", self.path.display())
    }
}

fn parsed(line: &str) -> anyhow::Result<Record> {
    // A parser's own message may quote a token.
    serde_json::from_str(line).map_err(|error| anyhow::anyhow!("at column {}", error.column()))
}

/// Replaces a ledger of an earlier version, durably and as a whole. The new file is locked before it takes the old one's place.
fn without_tokens(mut old: &File, path: &Path) -> anyhow::Result<File> {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut new = tempfile::NamedTempFile::new_in(folder)?;
    let mut writer = BufWriter::new(new.as_file_mut());
    old.rewind()?;
    for line in BufReader::new(old).lines() {
        serde_json::to_writer(&mut writer, &parsed(&line?)?)?;
        writer.write_all(b"\n")?;
    }
    writer.flush()?;
    drop(writer);
    let file = OpenOptions::new().read(true).append(true).open(new.path())?;
    file.try_lock()?;
    file.sync_all()?;
    new.persist(path)?;
    fs::File::open(folder)?.sync_all()?;
    tracing::warn!(file = %path.display(), "the ledger had cards' tokens; it has their fingerprints now");
    Ok(file)
}
