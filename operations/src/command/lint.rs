//! `scenarios lint`: what is wrong with the choreography before it runs.

use std::{io::Write as _, process::ExitCode};

use anyhow::Context;
use clap::{Args, ValueEnum};
use saga_lint::{Code, Lint, to_json, to_sarif, to_text};

use super::programs::Programs;

/// Finds what is wrong with a choreography, from its services' tables alone: events that nobody consumes, outcomes that
/// nobody handles, steps that are never undone, flows that never end.
///
/// The exit code is 1 if there is a finding. docs/LINT.md explains each code.
#[derive(Debug, Args)]
pub struct LintCommand {
    #[command(flatten)]
    programs: Programs,
    /// Form of the output.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Accept findings with this code, such as SL010 or no-deadline; may be repeated.
    #[arg(long = "allow", value_name = "CODE")]
    allowed: Vec<Code>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// SARIF 2.1.0, for code hosts and editors.
    Sarif,
}

impl LintCommand {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let choreography = self.programs.unchecked().await?;
        let lint = Lint::of(choreography.tables().iter().cloned());
        let lint = self.allowed.into_iter().fold(lint, |lint, code| lint.allow(code, "named by --allow"));
        let findings = lint.findings();
        let text = match self.format {
            Format::Text => to_text(&findings),
            Format::Json => format!("{:#}\n", to_json(&findings)),
            Format::Sarif => format!("{:#}\n", to_sarif(&findings)),
        };
        std::io::stdout().write_all(text.as_bytes()).context("printing the findings")?;
        Ok(if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
