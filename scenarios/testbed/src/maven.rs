//! Fetches published artifacts with Maven, once.

use std::path::{Path, PathBuf};

use anyhow::Context;
use nix::sys::signal::Signal;

use super::{
    process::{self, Process},
    state::StateDir,
};

/// Group, artifact, version.
pub(super) type Coordinates<'a> = (&'a str, &'a str, &'a str);

/// Form in which artifacts are stored.
#[derive(Debug, Clone, Copy)]
pub(super) enum Form {
    /// As jars, with all their dependencies.
    Jars,
    /// Unpacked.
    Unpacked,
}

impl Form {
    fn goal(self) -> &'static str {
        match self {
            Form::Jars => "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies",
            Form::Unpacked => "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:unpack-dependencies",
        }
    }
}

/// The user's cache directory.
///
/// # Errors
/// If the environment names none; the error suggests setting `variable` instead.
pub(super) fn cache(variable: &str) -> anyhow::Result<PathBuf> {
    let named = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = named("XDG_CACHE_HOME").or_else(|| Some(named("HOME")?.join(".cache")));
    let cache = cache.with_context(|| {
        format!("neither XDG_CACHE_HOME nor HOME is set, so there is no cache for downloads; set {variable}")
    })?;
    Ok(cache.join("purchase-saga"))
}

/// Fetches artifacts into a new directory `into`.
///
/// # Errors
/// If Maven is missing or fails; the error ends with the last lines of its output.
pub(super) async fn fetch(
    what: &str,
    coordinates: &[Coordinates<'_>],
    form: Form,
    into: &Path,
    state: &StateDir,
) -> anyhow::Result<()> {
    process::require("mvn", "maven", what).await?;
    let pom = into.with_extension("pom");
    std::fs::write(&pom, project(coordinates)).context("writing a project for Maven")?;
    let mut command = process::command("mvn", Signal::SIGTERM);
    command.args(["--batch-mode", "--no-transfer-progress", "--file"]).arg(&pom).arg(form.goal());
    command.arg("-DincludeScope=runtime").arg(format!("-DoutputDirectory={}", into.display()));
    let mut maven = Process::spawn("Maven", command, &state.log_of("maven"), Signal::SIGKILL)?;
    let status = maven.ended().await?;
    anyhow::ensure!(status.success(), "Maven could not fetch {what}: {status}; {}", maven.last_words());
    Ok(())
}

/// Moves a complete directory into place: its existence there proves completeness.
pub(super) fn publish(complete: &Path, place: &Path) -> anyhow::Result<()> {
    match std::fs::rename(complete, place) {
        // Another runner was faster; its download is just as good.
        Err(_) if place.is_dir() => Ok(()),
        renamed => renamed.with_context(|| format!("putting what was fetched into {}", place.display())),
    }
}

fn project(coordinates: &[Coordinates<'_>]) -> String {
    let dependency = |(group, artifact, version): &Coordinates<'_>| {
        format!(
            "    <dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId>\
             <version>{version}</version></dependency>\n"
        )
    };
    let dependencies: String = coordinates.iter().map(dependency).collect();
    format!(
        r#"<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>local</groupId>
  <artifactId>fetched</artifactId>
  <version>1</version>
  <dependencies>
{dependencies}  </dependencies>
</project>
"#
    )
}
