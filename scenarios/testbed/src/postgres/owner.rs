//! The user that PostgreSQL runs as. PostgreSQL refuses to run as root, so root runs it as an ordinary user.

use std::{
    fs::Permissions,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use anyhow::Context;
use nix::unistd::{User, chown, geteuid};
use tempfile::TempDir;

/// User that the server's programs run as.
#[derive(Debug, Clone)]
pub(super) enum Owner {
    /// The user who runs this program.
    Ourselves,
    /// We are root; this user is not.
    Other(User),
}

impl Owner {
    /// The current user or, for root, `postgres` if that user exists, otherwise `nobody`.
    pub(super) fn choose() -> anyhow::Result<Self> {
        if !geteuid().is_root() {
            return Ok(Self::Ourselves);
        }
        let known = ["postgres", "nobody"].into_iter().find_map(|name| User::from_name(name).ok().flatten());
        known.map(Self::Other).context("PostgreSQL refuses to run as root, and there is no user `postgres` or `nobody`")
    }

    /// A new directory that only this user can read.
    pub(super) fn private_directory(&self) -> anyhow::Result<TempDir> {
        let parent = match self {
            Self::Ourselves => std::env::temp_dir(),
            Self::Other(user) => reachable_temporary_directory()
                .with_context(|| format!("neither TMPDIR nor /var/tmp nor /tmp can be entered by {}", user.name))?,
        };
        let mut builder = tempfile::Builder::new();
        let builder = builder.prefix("purchase-saga-postgres-").permissions(Permissions::from_mode(0o700));
        let directory = builder.tempdir_in(&parent);
        let directory = directory.with_context(|| format!("creating a directory in {}", parent.display()))?;
        self.give(directory.path())?;
        Ok(directory)
    }

    /// Makes this user the owner of `path`.
    pub(super) fn give(&self, path: &Path) -> anyhow::Result<()> {
        match self {
            Self::Ourselves => Ok(()),
            Self::Other(user) => chown(path, Some(user.uid), Some(user.gid))
                .with_context(|| format!("giving {} to {}", path.display(), user.name)),
        }
    }

    /// Makes `command` run as this user.
    pub(super) fn runs(&self, command: &mut tokio::process::Command) {
        if let Self::Other(user) = self {
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw()).env("HOME", "/");
        }
    }
}

/// A temporary directory that other users can enter; root's own may not be one.
fn reachable_temporary_directory() -> Option<PathBuf> {
    let enterable = |directory: &Path| {
        std::fs::metadata(directory)
            .is_ok_and(|metadata| metadata.is_dir() && metadata.permissions().mode() & 0o001 != 0)
    };
    [std::env::temp_dir(), "/var/tmp".into(), "/tmp".into()]
        .into_iter()
        .find(|directory| directory.is_absolute() && directory.ancestors().all(enterable))
}
