//! Selection of the programs that a command starts.

use std::{path::PathBuf, sync::Arc};

use clap::Args;
use testbed::{Broker, Manifest, Options, SYSTEM_MANIFEST};

/// The shop, and what comes on top of it.
#[derive(Debug, Args)]
pub(super) struct System {
    /// File with additional services, each with its own database. They are started, published and audited like the shop's
    /// own; see docs/OPERATIONS.md.
    #[arg(long, value_name = "FILE", env = SYSTEM_MANIFEST)]
    manifest: Option<PathBuf>,
}

impl System {
    /// Options for these programs on this broker, without anything else.
    ///
    /// # Errors
    /// If the manifest cannot be read or is invalid.
    pub(super) fn options(&self, broker: Broker) -> anyhow::Result<Options> {
        let manifest = self.manifest.as_deref().filter(|file| !file.as_os_str().is_empty());
        let manifest = manifest.map_or_else(|| Ok(Manifest::of_the_shop()), Manifest::with_file)?;
        Ok(Options { manifest: Arc::new(manifest), ..Options::new(broker) })
    }
}
