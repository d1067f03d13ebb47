//! The choice of brokers.

use std::{convert::Infallible, path::Path};

use clap::ValueEnum;
use operations::Manifest;

use super::{
    embedded::Embedded,
    kafka::{Doors, Kafka},
    reporter::Reporter,
    state::StateDir,
};

/// The broker that carries the events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Broker {
    /// librdkafka's in-process broker, in memory.
    Embedded,
    /// A local Apache Kafka, downloaded once.
    Kafka,
    /// The broker that the environment names; not started here.
    #[value(skip)]
    External,
}

/// A broker that we started.
#[derive(Debug)]
pub enum Started {
    Embedded(Embedded),
    Kafka(Box<Kafka>),
    /// One that runs already: its address.
    Shared(String),
}

impl Started {
    /// Starts a broker and waits until it answers. Only Kafka supports doors.
    pub async fn start(
        broker: Broker,
        manifest: &Manifest,
        partitions: i32,
        doors: &Doors,
        state: &StateDir,
        reporter: &Reporter,
    ) -> anyhow::Result<Self> {
        if let Some(brokers) = &doors.shared {
            reporter.note(format!("using the broker at {brokers}, which other systems may share"));
            return Ok(Self::Shared(brokers.clone()));
        }
        match broker {
            Broker::Embedded => {
                let step = reporter.step("starting the embedded broker");
                let embedded = Embedded::start_with(manifest, partitions, &doors.prefix).await?;
                step.done(format!("the embedded broker, in this process's memory, at {}", embedded.brokers()));
                Ok(Self::Embedded(embedded))
            }
            Broker::Kafka => {
                let step = reporter.step("starting Apache Kafka");
                let kafka = Kafka::start_behind(state, partitions, doors, &step).await?;
                step.done(format!("{} at {}", kafka_version(), kafka.brokers()));
                Ok(Self::Kafka(Box::new(kafka)))
            }
            Broker::External => anyhow::bail!("an external broker cannot be started here"),
        }
    }

    /// host:port.
    pub fn brokers(&self) -> &str {
        match self {
            Self::Embedded(embedded) => embedded.brokers(),
            Self::Kafka(kafka) => kafka.brokers(),
            Self::Shared(brokers) => brokers,
        }
    }

    /// Name and version, such as `Apache Kafka 4.1.0`.
    pub fn version(&self) -> String {
        match self {
            Self::Embedded(_) => "librdkafka's embedded broker".to_owned(),
            Self::Kafka(_) => kafka_version(),
            Self::Shared(brokers) => format!("the broker at {brokers}"),
        }
    }

    /// The process id of a broker that runs as a process of its own.
    pub fn pid(&self) -> Option<u32> {
        match self {
            Self::Embedded(_) | Self::Shared(_) => None,
            Self::Kafka(kafka) => kafka.pid(),
        }
    }

    /// The jars of Kafka's own tools, for Kafka.
    pub fn jars(&self) -> Option<&Path> {
        match self {
            Self::Embedded(_) | Self::Shared(_) => None,
            Self::Kafka(kafka) => Some(kafka.jars()),
        }
    }

    /// Returns the reason if the broker ends unexpectedly.
    pub async fn failed(&mut self) -> anyhow::Error {
        match self {
            // It ends only with this process, or is none of ours.
            Self::Embedded(_) | Self::Shared(_) => match std::future::pending::<Infallible>().await {},
            Self::Kafka(kafka) => kafka.failed().await,
        }
    }

    /// Stops it and discards its data.
    pub async fn stop(self) -> anyhow::Result<()> {
        match self {
            Self::Embedded(embedded) => {
                drop(embedded);
                Ok(())
            }
            Self::Kafka(kafka) => kafka.stop().await,
            Self::Shared(_) => Ok(()),
        }
    }
}

fn kafka_version() -> String {
    format!("Apache Kafka {}", super::kafka::VERSION)
}
