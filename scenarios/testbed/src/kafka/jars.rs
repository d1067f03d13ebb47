//! Apache Kafka's published jars, fetched once by Maven into the user's cache.

use std::path::{Path, PathBuf};

use anyhow::Context;
use nix::sys::signal::Signal;
use tokio::process::Command;

use super::super::{
    maven::{self, Coordinates, Form},
    process,
    reporter::Task,
    state::StateDir,
};

/// The release that is started.
pub(crate) const VERSION: &str = "4.1.0";

/// Artifacts for the broker, its console tools and its log.
const COORDINATES: &[Coordinates<'_>] = &[
    ("org.apache.kafka", "kafka_2.13", VERSION),
    ("org.apache.kafka", "kafka-tools", VERSION),
    ("org.apache.logging.log4j", "log4j-slf4j-impl", "2.24.3"),
];

/// The directory with the jars: `KAFKA_JARS`, or else one in the cache.
///
/// # Errors
/// If they have to be fetched and Maven is missing or fails.
pub(super) async fn find_or_fetch(state: &StateDir, step: &Task) -> anyhow::Result<PathBuf> {
    if let Some(given) = std::env::var_os("KAFKA_JARS").map(PathBuf::from) {
        let jar = given.join(broker());
        anyhow::ensure!(jar.is_file(), "KAFKA_JARS is set, but there is no {}", jar.display());
        return Ok(given);
    }
    let cache = maven::cache("KAFKA_JARS")?;
    let jars = cache.join(format!("kafka-{VERSION}"));
    // The directory is renamed into place when complete, so its existence proves completeness.
    if !jars.is_dir() {
        step.now(format!("fetching Apache Kafka {VERSION} with Maven (55 MB, once)"));
        fetch(&cache, &jars, state).await?;
    }
    Ok(jars)
}

/// File name of the broker's own jar.
pub(super) fn broker() -> String {
    format!("kafka_2.13-{VERSION}.jar")
}

async fn fetch(cache: &Path, jars: &Path, state: &StateDir) -> anyhow::Result<()> {
    std::fs::create_dir_all(cache).with_context(|| format!("creating {}", cache.display()))?;
    let unfinished = tempfile::Builder::new().prefix("kafka-unfinished-").tempdir_in(cache)?;
    let complete = unfinished.path().join("jars");
    maven::fetch("Apache Kafka", COORDINATES, Form::Jars, &complete, state).await?;
    maven::publish(&complete, jars)
}

/// `java` with the jars on its class path.
pub(super) fn java(jars: &Path) -> Command {
    let mut command = process::command("java", Signal::SIGTERM);
    command.arg("-cp").arg(jars.join("*"));
    command
}
