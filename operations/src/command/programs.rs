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
    /// The shop's choreography together with theirs. A program that does not answer is warned of: just then somebody wants to see
    /// what it has left undone.
    pub(super) async fn reachable(&self) -> anyhow::Result<Choreography> {
        let (choreography, silent) = Choreography::of_those_that_answer(&self.urls()).await?;
        silent.iter().for_each(|error| tracing::warn!(error, "continuing without a program's table"));
        Ok(choreography)
    }

    fn urls(&self) -> Vec<String> {
        self.urls.iter().filter(|url| !url.is_empty()).cloned().collect()
    }

    /// The shop's choreography together with theirs.
    pub(super) async fn choreography(&self) -> anyhow::Result<Choreography> {
        Choreography::with(&self.urls()).await
    }
}
