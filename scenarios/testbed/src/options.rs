//! Options for starting a system.

use std::sync::Arc;

use saga::outbox::Prefix;

use super::{Broker, Manifest, PARTITIONS, Program, Setting, binary};

/// Options for starting a system.
#[derive(Debug, Clone)]
pub struct Options {
    /// The programs and their databases.
    pub manifest: Arc<Manifest>,
    pub broker: Broker,
    pub partitions: i32,
    pub settings: Vec<Setting>,
    /// True to put a proxy between each program and each server, so that tests can break the connections.
    pub breakable: bool,
    /// True for TLS 1.3 and certificates on every link.
    pub secured: bool,
    /// True for addresses and letters that are sealed under their buyers' keys.
    pub sealed: bool,
    /// True for a broker that asks everybody for a name, and allows only what the services' tables need.
    pub guarded: bool,
    /// True to give each program a database role with its own part only; the owner's migrates.
    pub roles: bool,
    /// What precedes the names of all topics and groups on the broker.
    pub prefix: Prefix,
    /// True for a Kafka whose JVM optimizes, as where it runs for days.
    pub optimized: bool,
    /// Address of a plain broker that runs already, and is shared with other systems.
    pub shared: Option<String>,
}

impl Options {
    /// The unmodified shop.
    pub fn new(broker: Broker) -> Self {
        let manifest = Arc::new(Manifest::of_the_shop());
        Self {
            manifest,
            broker,
            partitions: PARTITIONS,
            settings: Vec::new(),
            breakable: false,
            secured: false,
            sealed: false,
            guarded: false,
            roles: false,
            prefix: Prefix::default(),
            optimized: false,
            shared: None,
        }
    }

    /// Reports a missing binary, or what does not fit together, now rather than after a minute.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        self.manifest.entries().iter().try_for_each(|entry| binary(entry).map(drop))?;
        anyhow::ensure!(
            !self.secured || self.broker == Broker::Kafka,
            "the embedded broker knows neither TLS nor permissions: use --broker kafka with --secure"
        );
        anyhow::ensure!(
            self.shared.is_none() || !(self.secured || self.guarded || self.breakable),
            "a broker that runs already is used as it is: plain, and without a proxy"
        );
        Ok(())
    }

    /// Puts a proxy between each program and each server.
    pub fn breakable(self) -> Self {
        Self { breakable: true, ..self }
    }

    /// Closes every door: TLS 1.3 with certificates on every link, `SECURITY=required` in every program, rights on the broker
    /// from the services' tables, a database role for each program, and personal data under keys of its own.
    pub fn secured(self) -> Self {
        Self { secured: true, sealed: true, guarded: true, roles: true, ..self }
    }

    /// Seals addresses and letters under their buyers' keys.
    pub fn sealed(self) -> Self {
        Self { sealed: true, ..self }
    }

    /// Lets Kafka's JVM optimize, as it does where it runs for days. That costs both cores for its first minute, and pays off
    /// from some ten thousand orders on. A broker with TLS should not be measured without: only the optimizing compiler knows the
    /// processor's instructions for AES.
    pub fn optimized(self) -> Self {
        Self { optimized: true, ..self }
    }

    /// Puts a prefix before the names of all topics and groups.
    pub fn prefixed(self, prefix: Prefix) -> Self {
        Self { prefix, ..self }
    }

    /// Uses a plain broker that runs already instead of starting one.
    pub fn on(self, brokers: &str) -> Self {
        Self { shared: Some(brokers.to_owned()), ..self }
    }

    /// Gives each program a database role with its own part only.
    pub fn with_roles(self) -> Self {
        Self { roles: true, ..self }
    }

    /// Adds an environment variable to every program.
    pub fn setting_of_all(self, name: &str, value: &str) -> Self {
        let manifest = self.manifest.clone();
        manifest.programs().fold(self, |options, program| options.setting(program, name, value))
    }

    /// Adds an environment variable to one program.
    pub fn setting(mut self, program: Program, name: &str, value: impl Into<String>) -> Self {
        self.settings.push(Setting { program, name: name.to_owned(), value: value.into() });
        self
    }
}
