//! Further programs that take part in the shop's sagas.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use saga::choreography::Part;

use crate::{Manifest, PROGRAM_URLS, SYSTEM_MANIFEST, acl::Rights, choreography::Choreography, prefix_of_the_process};

/// Addresses of further services, which serve their tables.
#[derive(Debug, Args)]
pub(super) struct Programs {
    /// Base URL of a further service, such as http://127.0.0.1:9090, which serves its table at /choreography. Separate several
    /// by commas, or repeat the option.
    #[arg(long = "program", env = PROGRAM_URLS, hide_env_values = true, value_name = "URL", value_delimiter = ',')]
    urls: Vec<String>,
    /// File with a further service's table, as its program prints it with --choreography; may be repeated.
    #[arg(long = "file", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Only these programs and files, without the shop's services.
    #[arg(long)]
    alone: bool,
}

impl Programs {
    /// The shop's choreography together with theirs. A program that does not answer is warned of: just then somebody wants to see
    /// what it has left undone.
    pub(super) async fn reachable(&self) -> anyhow::Result<Choreography> {
        let (choreography, silent) = self.given()?.and_those_that_answer(&self.urls()).await?;
        silent.iter().for_each(|error| tracing::warn!(error, "continuing without a program's table"));
        Ok(choreography)
    }

    /// Returns whether the shop's services are left out.
    pub(super) fn is_without_the_shop(&self) -> bool {
        self.alone
    }

    fn urls(&self) -> Vec<String> {
        self.urls.iter().filter(|url| !url.is_empty()).cloned().collect()
    }

    /// The shop's choreography together with theirs.
    pub(super) async fn choreography(&self) -> anyhow::Result<Choreography> {
        self.given()?.and(&self.urls()).await
    }

    /// The same, which has at least one service.
    pub(super) async fn some(&self) -> anyhow::Result<Choreography> {
        at_least_one(self.choreography().await?)
    }

    /// The same, whether or not its tables fit together.
    pub(super) async fn unchecked(&self) -> anyhow::Result<Choreography> {
        at_least_one(self.given()?.and_unchecked(&self.urls()).await?)
    }

    /// The rights on Kafka that the system needs: that of the manifest in the environment, or else the shop.
    pub(super) async fn rights(&self) -> anyhow::Result<Rights> {
        let choreography = self.some().await?;
        let manifest = match std::env::var_os(SYSTEM_MANIFEST).filter(|file| !file.is_empty()) {
            Some(file) => Manifest::with_file(Path::new(&file)).with_context(|| format!("{SYSTEM_MANIFEST} names"))?,
            None => Manifest::of_the_shop(),
        };
        let untold = manifest.databases().map(|database| database.publisher().name());
        let untold: Vec<&str> =
            untold.filter(|name| !choreography.tables().iter().any(|table| table.service == *name)).collect();
        anyhow::ensure!(
            untold.is_empty(),
            "nobody knows what {} may read: name it with --program or --file",
            untold.join(" and ")
        );
        Rights::of(&choreography, &manifest, &prefix_of_the_process()?)
    }

    /// The shop's choreography, unless it is left out, together with the tables in files.
    fn given(&self) -> anyhow::Result<Choreography> {
        let mut all = if self.alone { Choreography::default() } else { Choreography::of_the_shop() };
        for file in &self.files {
            let name = file.display();
            let text = std::fs::read_to_string(file).with_context(|| format!("reading {name}"))?;
            let table: Part = serde_json::from_str(&text)
                .with_context(|| format!("{name} is no service's table: write it with the program's --choreography"))?;
            all.add(table).with_context(|| format!("the table in {name}"))?;
        }
        Ok(all)
    }
}

fn at_least_one(all: Choreography) -> anyhow::Result<Choreography> {
    anyhow::ensure!(!all.tables().is_empty(), "--alone leaves no service: name some with --program or --file");
    Ok(all)
}
