//! The environment file, with the system's addresses as `NAME=value` lines that a shell can read.

use std::{
    borrow::Cow,
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::Context;

/// `NAME=value` lines. Values with characters that are special to a shell are quoted.
pub fn render(variables: &[(String, String)]) -> String {
    variables.iter().map(|(name, value)| format!("{name}={}\n", quoted(value))).collect()
}

fn quoted(value: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:@,=+%?".contains(c);
    if value.chars().all(plain) { value.into() } else { format!("'{}'", value.replace('\'', r"'\''")).into() }
}

/// A file that exists while the system runs. It contains passwords, so only its owner can read it.
#[derive(Debug)]
pub struct EnvFile(PathBuf);

impl EnvFile {
    /// Removes the file of an earlier system, so that the file exists only when the system is ready.
    pub fn at(path: &Path) -> anyhow::Result<Self> {
        match std::fs::symlink_metadata(path) {
            Ok(found) if !found.is_file() => anyhow::bail!("--env-file {} is not an ordinary file", path.display()),
            Ok(_) => std::fs::remove_file(path).with_context(|| format!("replacing {}", path.display()))?,
            Err(_) => {}
        }
        Ok(Self(path.to_owned()))
    }

    /// Replaces the file atomically: a reader sees the old lines or the new ones.
    pub fn write(&self, variables: &[(String, String)]) -> anyhow::Result<()> {
        let directory = match self.0.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        let write = || -> anyhow::Result<()> {
            // Temporary files are readable only by their owner from the start.
            let mut file = tempfile::NamedTempFile::new_in(directory)?;
            file.write_all(render(variables).as_bytes())?;
            file.persist(&self.0)?;
            Ok(())
        };
        write().with_context(|| format!("writing {}", self.0.display()))
    }
}

impl Drop for EnvFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn variables(value: &str) -> Vec<(String, String)> {
        vec![("KAFKA_BROKERS".to_owned(), "127.0.0.1:9092".to_owned()), ("MAIL_DIR".to_owned(), value.to_owned())]
    }

    #[test]
    fn a_line_each_and_quotes_only_where_needed() {
        assert_eq!(render(&variables("/a/b")), "KAFKA_BROKERS=127.0.0.1:9092\nMAIL_DIR=/a/b\n");
        assert_eq!(render(&variables("it's here")), "KAFKA_BROKERS=127.0.0.1:9092\nMAIL_DIR='it'\\''s here'\n");
    }

    #[test]
    fn the_file_is_private_and_goes_with_its_system() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("env");
        std::fs::write(&path, "PID_ORDER=1\n").unwrap();
        let file = EnvFile::at(&path).unwrap();
        assert!(!path.exists(), "an old file would look as if the system were ready");
        file.write(&variables("/a")).unwrap();
        file.write(&variables("/b")).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), render(&variables("/b")));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        drop(file);
        assert!(!path.exists());
    }

    #[test]
    fn what_is_no_file_is_left_alone() {
        assert!(EnvFile::at(Path::new("/dev/null")).is_err());
    }
}
