//! Finds PostgreSQL's server programs on this machine.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context;

/// Where distributions install versions side by side: the directory, the prefix of the version's directory, and the path below
/// it.
const PLACES: &[(&str, &str, &str)] = &[
    ("/usr/lib/postgresql", "", "bin"),
    ("/usr", "pgsql-", "bin"),
    ("/usr/libexec", "postgresql", ""),
    ("/usr/local", "pgsql", "bin"),
    ("/opt/homebrew/opt", "postgresql", "bin"),
    ("/usr/local/opt", "postgresql", "bin"),
];

/// Variable with the directory of PostgreSQL's programs.
pub const POSTGRES_BIN: &str = "POSTGRES_BIN";

/// A directory with `initdb` and `postgres`.
#[derive(Debug)]
pub(super) struct Installation(PathBuf);

impl Installation {
    /// The directory in `POSTGRES_BIN`, or else on the `PATH`, or else the newest version in the usual places.
    pub(super) fn find() -> anyhow::Result<Self> {
        if let Some(named) = std::env::var_os(POSTGRES_BIN).filter(|named| !named.is_empty()) {
            return Self::at(named.into()).context("POSTGRES_BIN names the directory of PostgreSQL's server programs");
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        let on_path = std::env::split_paths(&path).find(|directory| is_complete(directory));
        let found = on_path.or_else(|| PLACES.iter().flat_map(candidates).max().map(|(_, directory)| directory));
        found.map(Self).context(
            "PostgreSQL's server programs (initdb, postgres) are neither on the PATH nor in a usual place; \
             on Debian or Ubuntu: apt-get install postgresql. POSTGRES_BIN can name their directory",
        )
    }

    /// The installation in this directory.
    pub(super) fn at(directory: PathBuf) -> anyhow::Result<Self> {
        anyhow::ensure!(is_complete(&directory), "initdb and postgres are not in {}", directory.display());
        Ok(Self(directory))
    }

    pub(super) fn directory(&self) -> &Path {
        &self.0
    }

    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The server's version, such as `15.13`.
    pub(super) fn version(&self) -> anyhow::Result<String> {
        let output = Command::new(self.program("postgres")).arg("--version").output();
        let output = output.with_context(|| format!("running {}", self.program("postgres").display()))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let version = text.split_whitespace().nth(2);
        version.map(str::to_owned).with_context(|| format!("reading a version out of {text:?}"))
    }
}

fn is_complete(directory: &Path) -> bool {
    ["initdb", "postgres"].iter().all(|program| directory.join(program).is_file())
}

fn candidates(&(parent, prefix, below): &(&str, &str, &str)) -> Vec<(u32, PathBuf)> {
    let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
    let candidate = |entry: std::fs::DirEntry| {
        let name = entry.file_name().into_string().ok()?;
        let version = name.strip_prefix(prefix)?.trim_start_matches('@');
        // "9.6" is older than "15"; a name without a number comes last.
        let major = version.split('.').next()?.parse().unwrap_or(0);
        let directory = entry.path().join(below);
        is_complete(&directory).then_some((major, directory))
    };
    entries.filter_map(candidate).collect()
}
