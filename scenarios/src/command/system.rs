//! Selection of the programs that a command starts.

use std::{path::PathBuf, sync::Arc};

use clap::Args;
use saga::outbox::Prefix;
use testbed::{Broker, Manifest, Options, SYSTEM_MANIFEST};

/// The shop, and what comes on top of it.
#[derive(Debug, Args)]
pub(super) struct System {
    /// File with additional services, each with its own database. They are started, published and audited like the shop's
    /// own; see docs/OPERATIONS.md.
    #[arg(long, value_name = "FILE", env = SYSTEM_MANIFEST, hide_env_values = true)]
    manifest: Option<PathBuf>,
    /// Closes every door: TLS 1.3 with certificates on both sides of every link, SECURITY=required in every program, rights on
    /// Kafka from the services' tables, a database role for each program, tokens for requests. Needs Apache Kafka, which is the
    /// default then.
    #[arg(long)]
    secure: bool,
    /// What precedes the names of all topics and groups on the broker, such as `staging.`.
    #[arg(long, env = "KAFKA_PREFIX", hide_env_values = true, default_value = "")]
    prefix: Prefix,
}

impl System {
    /// The programs.
    ///
    /// # Errors
    /// If the manifest cannot be read or is invalid.
    pub(super) fn manifest(&self) -> anyhow::Result<Manifest> {
        let manifest = self.manifest.as_deref().filter(|file| !file.as_os_str().is_empty());
        manifest.map_or_else(|| Ok(Manifest::of_the_shop()), Manifest::with_file)
    }

    /// Options for these programs on this broker, or on the command's default, without anything else.
    ///
    /// # Errors
    /// If the manifest cannot be read or is invalid.
    pub(super) fn options(&self, broker: Option<Broker>, default: Broker) -> anyhow::Result<Options> {
        let default = if self.secure { Broker::Kafka } else { default };
        let broker = broker.unwrap_or(default);
        let manifest = self.manifest()?;
        let options = Options { manifest: Arc::new(manifest), ..Options::new(broker) };
        let options = options.prefixed(self.prefix.clone());
        Ok(if self.secure { options.secured() } else { options })
    }
}
