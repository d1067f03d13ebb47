//! `scenarios asyncapi`: the choreography for people and tools that know nothing of it.

use std::{io::Write as _, process::ExitCode};

use anyhow::Context;
use clap::{Args, ValueEnum};

use super::programs::Programs;

/// Prints an AsyncAPI 3.0.0 document of the system: topics, messages with the schemas of their payloads, and which service sends
/// and receives them.
///
/// Of services that are named with --program or --file only the table is known: their messages have no payload. docs/EVENTS.md
/// shows what can be done with it.
#[derive(Debug, Args)]
pub struct AsyncApi {
    /// Form of the output.
    #[arg(long, value_enum, default_value_t = Format::Json)]
    format: Format,
    /// Title of the document; without it, the shop's name.
    #[arg(long)]
    title: Option<String>,
    /// Kafka brokers as host:port, separated by commas.
    #[arg(long, value_delimiter = ',', default_value = "localhost:9092")]
    brokers: Vec<String>,
    #[command(flatten)]
    programs: Programs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Json,
    Yaml,
}

impl AsyncApi {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let choreography = self.programs.some().await?;
        let name = if self.programs.is_without_the_shop() { "Choreographed saga" } else { "Purchase saga" };
        let document = choreography.asyncapi(self.title.unwrap_or_else(|| name.to_owned()), self.brokers);
        let text = match self.format {
            Format::Json => format!("{document:#}\n"),
            Format::Yaml => serde_saphyr::to_string(&document).context("writing the document as YAML")?,
        };
        std::io::stdout().write_all(text.as_bytes()).context("printing the document")?;
        Ok(ExitCode::SUCCESS)
    }
}
