//! Entry points of a service's binary.

use std::io::Write as _;

use anyhow::Context;

use crate::{choreography::Part, runtime::config::Config, service::Service};

/// The `main` of a service's binary: reads its [`Config`] from arguments and environment variables, and runs the service.
/// With `--choreography` it only prints the service's table, as JSON.
///
/// ```ignore
/// fn main() -> anyhow::Result<()> {
///     saga::main::<Hotel, _>(async |config| Program::new(Hotel, config, &MIGRATIONS)?.run().await)
/// }
/// ```
///
/// # Errors
/// Any error of the run, or of writing the output.
pub fn main<S: Service, R>(run: impl FnOnce(Config) -> R) -> anyhow::Result<()>
where
    R: Future<Output = anyhow::Result<()>>,
{
    start::<S, R>(|| run(Config::of_the_process(S::NAME)))
}

/// As [`main`], for a service with arguments of its own, into which it flattens [`Config`].
///
/// # Errors
/// Any error of the run, or of writing the output.
pub fn main_with<S: Service, A: clap::Parser, R>(run: impl FnOnce(A) -> R) -> anyhow::Result<()>
where
    R: Future<Output = anyhow::Result<()>>,
{
    start::<S, R>(|| run(A::parse()))
}

fn start<S: Service, R: Future<Output = anyhow::Result<()>>>(run: impl FnOnce() -> R) -> anyhow::Result<()> {
    if std::env::args_os().skip(1).any(|argument| argument == CHOREOGRAPHY) {
        let table = S::table();
        table.check().map_err(anyhow::Error::msg)?;
        let part = serde_json::to_string_pretty(&Part::from(&table))?;
        return writeln!(std::io::stdout(), "{part}").context("printing the choreography");
    }
    process::main(run())
}

/// Argument with which a service prints its table.
const CHOREOGRAPHY: &str = "--choreography";
