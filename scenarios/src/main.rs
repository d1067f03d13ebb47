//! `scenarios`: starts the system, runs scenarios against it, and looks into it.

use std::process::ExitCode;

use clap::Parser;
use scenarios::command::Command;
use tracing_subscriber::{EnvFilter, filter::LevelFilter};

/// Starts the purchase saga's system, runs scenarios against it, and looks into it.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // The commands speak for themselves; the log adds what nobody expected. In chaos that is nothing: there everything that
    // complains does so because it was meant to.
    let unexpected = if matches!(arguments.command, Command::Chaos(_)) { LevelFilter::OFF } else { LevelFilter::WARN };
    let filter = EnvFilter::builder().with_default_directive(unexpected.into()).from_env_lossy();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false).init();
    match arguments.command.run().await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
