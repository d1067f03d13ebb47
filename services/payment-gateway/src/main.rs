//! The payment gateway stand-in as a program.

use std::{path::PathBuf, sync::Arc};

use clap::Parser;
use payment_gateway::{
    books::Books,
    http::{self, Gateway},
    settings::Settings,
};
use process::{
    config::Http,
    ops::{self, Routes},
    security,
    shutdown::Shutdown,
    telemetry,
};

/// A stand-in for an outside payment provider.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    #[command(flatten)]
    http: Http,
    #[command(flatten)]
    security: transport::Settings,
    #[command(flatten)]
    settings: Settings,
    /// File that holds the books; without it they are lost when the program ends.
    #[arg(long, env = "LEDGER_FILE", hide_env_values = true)]
    ledger_file: Option<PathBuf>,
}

fn main() -> anyhow::Result<()> {
    process::main(run(Args::parse()))
}

async fn run(args: Args) -> anyhow::Result<()> {
    let metrics = telemetry::init()?;
    let transport = security::open(&args.security)?;
    let shutdown = Shutdown::on_signals()?;

    let books = match &args.ledger_file {
        Some(path) => Books::in_file(path)?,
        None => Books::in_memory(),
    };
    let readiness = ops::Readiness::default();
    readiness.set(true);
    let gateway = Arc::new(Gateway::new(books, args.settings));
    let operations = ops::routes(readiness, metrics, &transport).merge(http::settings_routes(gateway.clone()));
    let routes = Routes { operations, own: http::routes(gateway), tokens: false };
    ops::serve(&args.http, &transport, routes, shutdown).await
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_fit_together() {
        Args::command().debug_assert();
    }
}
