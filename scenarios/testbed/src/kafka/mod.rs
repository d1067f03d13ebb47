//! A private Apache Kafka: a single KRaft node with its own ports and directory, removed when stopped.

mod archive;
mod guard;
mod jars;
mod settings;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use nix::sys::signal::Signal;
use rdkafka::consumer::{BaseConsumer, Consumer};
use tempfile::TempDir;
use tokio::process::Command;
use transport::Transport;

use super::{
    certs::{ADMIN, Certs},
    ports,
    process::{self, Process},
    reporter::Task,
    state::StateDir,
    until,
};
use archive::Archive;

pub use guard::{BROKER, Guard};
pub(crate) use jars::VERSION;
pub use settings::{Doors, Listener};

const ANSWERS_WITHIN: Duration = Duration::from_secs(90);

/// A running broker.
#[derive(Debug)]
pub struct Kafka {
    // Dropped before its directory.
    server: Process,
    seat: Seat,
    brokers: String,
}

/// Address and directory of the broker; unchanged by a restart.
#[derive(Debug)]
struct Seat {
    directory: TempDir,
    jars: PathBuf,
    archive: Option<Archive>,
    log: PathBuf,
    guard: Option<Guard>,
    optimized: bool,
    /// The way in which its administrator reaches it.
    admin: Transport,
}

impl Kafka {
    /// Starts a broker and waits until it answers; fetches it first if this machine does not have it. Topics get `partitions`
    /// unless their creator asks for another number.
    ///
    /// # Errors
    /// If Java or Maven is missing, or the broker does not start; the error ends with the last lines of its log.
    pub async fn start(
        state: &StateDir,
        partitions: i32,
        listeners: &[Listener],
        certs: Option<&Certs>,
        step: &Task,
    ) -> anyhow::Result<Self> {
        let doors = Doors { listeners: listeners.to_vec(), certs: certs.cloned(), ..Doors::default() };
        Self::start_behind(state, partitions, &doors, step).await
    }

    /// As [`start`](Self::start), behind these doors.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn start_behind(state: &StateDir, partitions: i32, doors: &Doors, step: &Task) -> anyhow::Result<Self> {
        process::require("java", "default-jre-headless", "Apache Kafka").await?;
        let jars = jars::find_or_fetch(state, step).await?;
        step.now(format!("starting Apache Kafka {VERSION}"));
        // The ports were free a moment ago; if another program was faster, try others.
        let mut attempts_left = 3;
        loop {
            match Self::launch(state, partitions, doors, &jars).await {
                Err(error) if attempts_left > 1 && format!("{error:#}").contains("in use") => attempts_left -= 1,
                done => return done,
            }
        }
    }

    async fn launch(state: &StateDir, partitions: i32, doors: &Doors, jars: &Path) -> anyhow::Result<Self> {
        let directory = tempfile::Builder::new().prefix("purchase-saga-kafka-").tempdir()?;
        let archive = Archive::of(jars, &jars::broker()).await;
        let admin = match &doors.certs {
            Some(certs) => certs.transport(ADMIN)?,
            None => Transport::plain(),
        };
        // Certificates take the place of passwords.
        let guard = doors.guard.clone().filter(|_| doors.certs.is_none());
        let seat = Seat {
            directory,
            jars: jars.to_owned(),
            archive,
            log: state.log_of("kafka"),
            guard,
            optimized: doors.optimized,
            admin,
        };
        let (broker, controller) = (ports::free()?, ports::free()?);
        let data = seat.directory.path().join("data");
        let settings = settings::server(broker, controller, doors, partitions, &data);
        std::fs::write(seat.properties(), settings).context("writing Kafka's settings")?;
        std::fs::write(seat.log4j(), settings::LOG4J).context("writing Kafka's log settings")?;
        seat.format().await?;
        let brokers = format!("127.0.0.1:{broker}");
        let server = seat.serve(&brokers).await?;
        Ok(Self { server, seat, brokers })
    }

    /// Kills the broker, as a crash of its machine would. Nothing answers until [`come_back`](Self::come_back).
    pub async fn go_away(&mut self) -> anyhow::Result<()> {
        self.server.end(&[]).await?;
        Ok(())
    }

    /// Starts the broker again at the same address, with its data.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn come_back(&mut self) -> anyhow::Result<()> {
        self.server = self.seat.serve(&self.brokers).await?;
        Ok(())
    }

    /// host:port.
    pub fn brokers(&self) -> &str {
        &self.brokers
    }

    /// The jars, for Kafka's own tools: `java -cp "$JARS/*" org.apache.kafka.tools.consumer.ConsoleConsumer`.
    pub fn jars(&self) -> &Path {
        &self.seat.jars
    }

    /// The broker's process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.server.pid()
    }

    /// Returns the reason if the broker ends unexpectedly.
    pub async fn failed(&mut self) -> anyhow::Error {
        failure(&mut self.server).await
    }

    /// Stops the broker and removes its data.
    pub async fn stop(self) -> anyhow::Result<()> {
        let ended = self.server.stop(&[(Signal::SIGTERM, Duration::from_secs(20))]).await?;
        self.seat.archive.inspect(|archive| archive.keep(ended));
        Ok(())
    }
}

impl Seat {
    fn properties(&self) -> PathBuf {
        self.directory.path().join("server.properties")
    }

    fn log4j(&self) -> PathBuf {
        self.directory.path().join("log4j2.properties")
    }

    fn java(&self, heap: &str) -> Command {
        let mut java = jars::java(&self.jars);
        java.arg(heap).arg(format!("-Dlog4j2.configurationFile={}", self.log4j().display()));
        java
    }

    async fn format(&self) -> anyhow::Result<()> {
        // Joined to its option, because the id may begin with a hyphen.
        let cluster = format!("--cluster-id={}", BASE64_URL_SAFE_NO_PAD.encode(uuid::Uuid::new_v4()));
        let mut command = self.java("-Xmx128m");
        command.args(self.archive.as_ref().and_then(Archive::using));
        command.args(["kafka.tools.StorageTool", "format", &cluster, "--config"]).arg(self.properties());
        command.args(self.guard.iter().flat_map(Guard::users));
        let mut format = Process::spawn("Kafka's storage tool", command, &self.log, Signal::SIGKILL)?;
        let status = format.ended().await?;
        anyhow::ensure!(status.success(), "Kafka's storage tool failed with {status}; {}", format.last_words());
        Ok(())
    }

    async fn serve(&self, brokers: &str) -> anyhow::Result<Process> {
        let mut command = self.java("-Xmx512m");
        // What Kafka's own start script says.
        command.args(["-Xms512m", "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-Djava.awt.headless=true"]);
        // The optimizing compiler pays off after minutes and takes the cores from everyone else until then.
        if !self.optimized {
            command.arg("-XX:TieredStopAtLevel=1");
        }
        command.args(self.archive.iter().flat_map(Archive::using_or_writing));
        command.arg("kafka.Kafka").arg(self.properties());
        let mut server = Process::spawn("Apache Kafka", command, &self.log, Signal::SIGKILL)?;
        tokio::select! {
            answered = self.answers(brokers) => { answered.map_err(|error| process::explained(&error, &self.log))?; }
            failure = failure(&mut server) => return Err(failure),
        }
        Ok(server)
    }

    async fn answers(&self, brokers: &str) -> anyhow::Result<()> {
        let mut client = self.admin.kafka(brokers);
        client.set("reconnect.backoff.max.ms", "100");
        if let Some(guard) = &self.guard {
            guard.sasl(BROKER)?.apply(&mut client);
        }
        // It complains about each refused connection, which is what we expect while the broker starts.
        client.set("log_level", "0");
        let client: std::sync::Arc<BaseConsumer> = std::sync::Arc::new(client.create()?);
        until("Apache Kafka answers", ANSWERS_WITHIN, async || {
            let client = client.clone();
            let asked = tokio::task::spawn_blocking(move || client.fetch_metadata(None, Duration::from_secs(1)));
            asked.await.ok()?.ok().filter(|metadata| !metadata.brokers().is_empty())
        })
        .await?;
        Ok(())
    }
}

async fn failure(server: &mut Process) -> anyhow::Error {
    match server.ended().await {
        Ok(status) => anyhow::anyhow!("Apache Kafka ended with {status}; {}", server.last_words()),
        Err(error) => error,
    }
}
