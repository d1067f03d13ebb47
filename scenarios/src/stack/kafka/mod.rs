//! A private Apache Kafka: one KRaft node with its own ports and directory, gone when it is stopped.

mod jars;
mod settings;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use nix::sys::signal::Signal;
use rdkafka::{
    ClientConfig,
    consumer::{BaseConsumer, Consumer},
};
use tempfile::TempDir;

use super::{
    ports,
    process::{self, Process},
    reporter::Step,
    state::StateDir,
    wait,
};

pub(crate) use jars::VERSION;

const ANSWERS_WITHIN: Duration = Duration::from_secs(90);

/// A running broker.
#[derive(Debug)]
pub struct Kafka {
    // Dropped before its directory.
    server: Process,
    _directory: TempDir,
    brokers: String,
    jars: PathBuf,
}

impl Kafka {
    /// Starts a broker and waits until it answers; fetches it first, if this machine has not seen it before. Topics get
    /// `partitions` unless whoever makes them says otherwise.
    ///
    /// # Errors
    /// If Java or Maven is missing, or the broker does not come up; the error ends with what it said last.
    pub async fn start(state: &StateDir, partitions: i32, step: &Step) -> anyhow::Result<Self> {
        require("java", "default-jre-headless").await?;
        let jars = jars::find_or_fetch(state, step).await?;
        step.now(format!("starting Apache Kafka {VERSION}"));
        // The ports were free a moment ago; if somebody was quicker, the next ones will do.
        let mut attempts_left = 3;
        loop {
            match Self::launch(state, partitions, &jars).await {
                Err(error) if attempts_left > 1 && format!("{error:#}").contains("in use") => attempts_left -= 1,
                done => return done,
            }
        }
    }

    async fn launch(state: &StateDir, partitions: i32, jars: &Path) -> anyhow::Result<Self> {
        let directory = tempfile::Builder::new().prefix("purchase-saga-kafka-").tempdir()?;
        let log = state.log_of("kafka");
        let (broker, controller) = (ports::free()?, ports::free()?);
        let properties = directory.path().join("server.properties");
        let settings = settings::server(broker, controller, partitions, &directory.path().join("data"));
        std::fs::write(&properties, settings).context("writing Kafka's settings")?;
        let log4j = directory.path().join("log4j2.properties");
        std::fs::write(&log4j, settings::LOG4J).context("writing Kafka's log settings")?;
        let java = |heap: &str| {
            let mut java = jars::java(jars);
            java.arg(heap).arg(format!("-Dlog4j2.configurationFile={}", log4j.display()));
            java
        };

        let cluster = BASE64_URL_SAFE_NO_PAD.encode(uuid::Uuid::new_v4());
        let mut command = java("-Xmx128m");
        command.args(["kafka.tools.StorageTool", "format", "--cluster-id", &cluster, "--config"]).arg(&properties);
        let mut format = Process::spawn("Kafka's storage tool", command, &log, Signal::SIGKILL)?;
        let status = format.ended().await?;
        anyhow::ensure!(status.success(), "Kafka's storage tool failed with {status}; {}", format.last_words());

        let mut command = java("-Xmx512m");
        // What Kafka's own start script says.
        command.args(["-Xms512m", "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-Djava.awt.headless=true"]);
        command.arg("kafka.Kafka").arg(&properties);
        let mut server = Process::spawn("Apache Kafka", command, &log, Signal::SIGKILL)?;
        let brokers = format!("127.0.0.1:{broker}");
        tokio::select! {
            answered = answers(&brokers) => { answered.map_err(|error| process::explained(&error, &log))?; }
            failure = failure(&mut server) => return Err(failure),
        }
        Ok(Self { server, _directory: directory, brokers, jars: jars.to_owned() })
    }

    /// host:port.
    pub fn brokers(&self) -> &str {
        &self.brokers
    }

    /// The jars, for Kafka's own tools: `java -cp "$JARS/*" org.apache.kafka.tools.consumer.ConsoleConsumer`.
    pub fn jars(&self) -> &Path {
        &self.jars
    }

    /// The broker's process id, as long as it runs.
    pub fn pid(&self) -> Option<u32> {
        self.server.pid()
    }

    /// Returns, with the reason, when the broker has ended by itself.
    pub async fn failed(&mut self) -> anyhow::Error {
        failure(&mut self.server).await
    }

    /// Stops the broker and removes its data.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.server.stop(&[(Signal::SIGTERM, Duration::from_secs(20))]).await?;
        Ok(())
    }
}

async fn answers(brokers: &str) -> anyhow::Result<()> {
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", brokers).set("reconnect.backoff.max.ms", "100");
    // It complains about each refused connection, which is what we expect while the broker starts.
    client.set("log_level", "0");
    let client: std::sync::Arc<BaseConsumer> = std::sync::Arc::new(client.create()?);
    wait::until("Apache Kafka answers", ANSWERS_WITHIN, async || {
        let client = client.clone();
        let asked = tokio::task::spawn_blocking(move || client.fetch_metadata(None, Duration::from_secs(1)));
        asked.await.ok()?.ok().filter(|metadata| !metadata.brokers().is_empty())
    })
    .await?;
    Ok(())
}

async fn failure(server: &mut Process) -> anyhow::Error {
    match server.ended().await {
        Ok(status) => anyhow::anyhow!("Apache Kafka ended with {status}; {}", server.last_words()),
        Err(error) => error,
    }
}

async fn require(program: &str, package: &str) -> anyhow::Result<()> {
    let there =
        tokio::process::Command::new(program).arg("-version").output().await.is_ok_and(|run| run.status.success());
    anyhow::ensure!(
        there,
        "Apache Kafka needs `{program}`, which is missing; on Debian or Ubuntu: apt-get install {package}"
    );
    Ok(())
}
