//! PostgreSQL's server programs of a given version, published for tests and fetched once by Maven; no installation is needed.

use std::{
    fs::Permissions,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context;
use nix::unistd::geteuid;

use super::super::{
    maven::{self, Form},
    process,
    reporter::Task,
    state::StateDir,
};

/// Major versions, and the release of each that is fetched.
const RELEASES: &[(u32, &str)] = &[(17, "17.6.0"), (18, "18.0.0")];
const GROUP: &str = "io.zonky.test.postgres";
/// The user that the server runs as cannot enter root's own cache.
const CACHE_OF_ROOT: &str = "/var/cache/purchase-saga";

/// The directory with `initdb` and `postgres` of this major version.
///
/// # Errors
/// If there is none for this machine, or it cannot be fetched or unpacked.
pub(super) async fn find_or_fetch(major: u32, state: &StateDir, step: &Task) -> anyhow::Result<PathBuf> {
    let release = RELEASES.iter().find(|(known, _)| *known == major).map(|(_, release)| *release);
    let release = release.with_context(|| {
        let known: Vec<String> = RELEASES.iter().map(|(major, _)| major.to_string()).collect();
        format!("PostgreSQL {major} cannot be fetched, only {}; POSTGRES_BIN can name any", known.join(", "))
    })?;
    let cache = if geteuid().is_root() { CACHE_OF_ROOT.into() } else { maven::cache("POSTGRES_BIN")? };
    let place = cache.join(format!("postgresql-{release}"));
    // The directory is renamed into place when complete, so its existence proves completeness.
    if !place.is_dir() {
        step.now(format!("fetching PostgreSQL {release} with Maven (15 MB, once)"));
        fetch(release, &cache, &place, state).await?;
    }
    Ok(place.join("bin"))
}

async fn fetch(release: &str, cache: &Path, place: &Path, state: &StateDir) -> anyhow::Result<()> {
    process::require("xz", "xz-utils", "unpacking PostgreSQL").await?;
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o755).create(cache);
    made.with_context(|| format!("creating {}", cache.display()))?;
    let unfinished = tempfile::Builder::new().prefix("postgresql-unfinished-").tempdir_in(cache)?;
    let (jar, server) = (unfinished.path().join("jar"), unfinished.path().join("server"));
    let artifact = format!("embedded-postgres-binaries-{}", platform()?);
    let coordinates = [(GROUP, artifact.as_str(), release)];
    maven::fetch("PostgreSQL", &coordinates, Form::Unpacked, &jar, state).await?;
    let archive = std::fs::read_dir(&jar)?.flatten().map(|entry| entry.path());
    let archive = archive.into_iter().find(|path| path.extension().is_some_and(|extension| extension == "txz"));
    let archive = archive.with_context(|| format!("{artifact} has no archive in it"))?;
    std::fs::create_dir(&server)?;
    let unpacked = Command::new("tar").arg("-xJf").arg(&archive).arg("-C").arg(&server).status();
    let unpacked = unpacked.context("running tar")?;
    anyhow::ensure!(unpacked.success(), "tar could not unpack {}: {unpacked}", archive.display());
    std::fs::set_permissions(&server, Permissions::from_mode(0o755))?;
    maven::publish(&server, place)
}

/// The artifacts' name for this platform.
fn platform() -> anyhow::Result<&'static str> {
    match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => Ok("linux-amd64"),
        ("linux", "aarch64") => Ok("linux-arm64v8"),
        ("macos", "x86_64") => Ok("darwin-amd64"),
        ("macos", "aarch64") => Ok("darwin-arm64v8"),
        (os, arch) => anyhow::bail!("there is no published PostgreSQL for {os} on {arch}; set POSTGRES_BIN"),
    }
}
