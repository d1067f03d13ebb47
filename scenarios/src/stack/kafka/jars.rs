//! Apache Kafka's published jars, fetched once by Maven and kept in the user's cache.

use std::path::{Path, PathBuf};

use anyhow::Context;
use nix::sys::signal::Signal;
use tokio::process::Command;

use super::super::{
    process::{self, Process},
    reporter::Step,
    state::StateDir,
};

/// The release that we start.
pub(crate) const VERSION: &str = "4.1.0";

/// What has to be there for the broker, its console tools and its log.
const COORDINATES: &[(&str, &str, &str)] = &[
    ("org.apache.kafka", "kafka_2.13", VERSION),
    ("org.apache.kafka", "kafka-tools", VERSION),
    ("org.apache.logging.log4j", "log4j-slf4j-impl", "2.24.3"),
];
const COPY_DEPENDENCIES: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";

/// The directory that holds the jars; `KAFKA_JARS` names another one than the cache's.
///
/// # Errors
/// If they have to be fetched and Maven is missing or fails.
pub(super) async fn find_or_fetch(state: &StateDir, step: &Step) -> anyhow::Result<PathBuf> {
    if let Some(given) = std::env::var_os("KAFKA_JARS").map(PathBuf::from) {
        let jar = given.join(format!("kafka_2.13-{VERSION}.jar"));
        anyhow::ensure!(jar.is_file(), "KAFKA_JARS is set, but there is no {}", jar.display());
        return Ok(given);
    }
    let cache = cache()?;
    let jars = cache.join(format!("kafka-{VERSION}"));
    // The directory gets its name when all is in it, so its name is the mark of its completeness.
    if !jars.is_dir() {
        step.now(format!("fetching Apache Kafka {VERSION} with Maven (55 MB, once)"));
        fetch(&cache, &jars, state).await?;
    }
    Ok(jars)
}

fn cache() -> anyhow::Result<PathBuf> {
    let variable = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache")));
    Ok(cache
        .context("neither XDG_CACHE_HOME nor HOME says where to keep Kafka's jars; set KAFKA_JARS")?
        .join("purchase-saga"))
}

async fn fetch(cache: &Path, jars: &Path, state: &StateDir) -> anyhow::Result<()> {
    super::require("mvn", "maven").await?;
    std::fs::create_dir_all(cache).with_context(|| format!("making {}", cache.display()))?;
    let unfinished = tempfile::Builder::new().prefix("kafka-unfinished-").tempdir_in(cache)?;
    let pom = unfinished.path().join("pom.xml");
    std::fs::write(&pom, project()).context("writing a project for Maven")?;
    let mut command = process::command("mvn", Signal::SIGTERM);
    command.args(["--batch-mode", "--no-transfer-progress", "--file"]).arg(&pom).arg(COPY_DEPENDENCIES);
    command
        .arg("-DincludeScope=runtime")
        .arg(format!("-DoutputDirectory={}", unfinished.path().join("jars").display()));
    let mut maven = Process::spawn("Maven", command, &state.log_of("maven"), Signal::SIGKILL)?;
    let status = maven.ended().await?;
    anyhow::ensure!(status.success(), "Maven could not fetch Apache Kafka: {status}; {}", maven.last_words());
    match std::fs::rename(unfinished.path().join("jars"), jars) {
        // Another runner was quicker; its jars are as good as ours.
        Err(_) if jars.is_dir() => Ok(()),
        renamed => renamed.with_context(|| format!("putting the jars into {}", jars.display())),
    }
}

fn project() -> String {
    let dependency = |(group, artifact, version): &(&str, &str, &str)| {
        format!(
            "    <dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId>\
             <version>{version}</version></dependency>\n"
        )
    };
    let dependencies: String = COORDINATES.iter().map(dependency).collect();
    format!(
        r#"<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>local</groupId>
  <artifactId>kafka-jars</artifactId>
  <version>1</version>
  <dependencies>
{dependencies}  </dependencies>
</project>
"#
    )
}

/// `java` with the jars on its class path.
pub(super) fn java(jars: &Path) -> Command {
    let mut command = process::command("java", Signal::SIGTERM);
    command.arg("-cp").arg(jars.join("*"));
    command
}
