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
    // The commands speak for themselves; the log adds what nobody expected.
    let filter = EnvFilter::builder().with_default_directive(LevelFilter::WARN.into()).from_env_lossy();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false).init();
    match arguments.command.run().await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
