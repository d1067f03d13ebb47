//! Further programs that take part in the shop's sagas.

use clap::Args;

use crate::{PROGRAM_URLS, choreography::Choreography};

/// Addresses of further services, which serve their tables.
#[derive(Debug, Args)]
pub(super) struct Programs {
    /// Base URL of a further service, such as http://127.0.0.1:9090, which serves its table at /choreography. Separate several
    /// by commas, or repeat the option.
    #[arg(long = "program", env = PROGRAM_URLS, value_name = "URL", value_delimiter = ',')]
    urls: Vec<String>,
}

impl Programs {
    /// The shop's choreography together with theirs.
    pub(super) async fn choreography(&self) -> anyhow::Result<Choreography> {
        let urls: Vec<String> = self.urls.iter().filter(|url| !url.is_empty()).cloned().collect();
        Choreography::with(&urls).await
    }
}
