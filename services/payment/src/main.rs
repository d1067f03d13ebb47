use std::io::Write as _;

use anyhow::Context;
use clap::{Parser, Subcommand};
use payment::{
    GRANTS, MIGRATIONS, Payment,
    gateway::{self, Gateway},
    keys, methods_api,
};
use saga::attempts::RetryPolicy;

/// The payment service: authorizes, captures, voids and refunds an order's payment.
///
/// `payment keys --help` shows the commands for the keys that encrypt payment methods' details.
#[derive(Parser)]
#[command(version)]
struct Args {
    #[command(flatten)]
    saga: saga::config::Config,
    #[command(flatten)]
    gateway: gateway::Access,
    #[command(flatten)]
    keys: keys::KeySettings,
    #[command(flatten)]
    retries: RetryPolicy,
}

/// Commands of the payment service; without one, it runs the service.
#[derive(Parser)]
#[command(name = "payment", version)]
struct Commands {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The keys that encrypt payment methods' details.
    #[command(subcommand)]
    Keys(keys::command::Command),
}

fn main() -> anyhow::Result<()> {
    // Not a subcommand of the service's own arguments, most of which a command does not need.
    if std::env::args_os().nth(1).is_some_and(|word| word == "keys") {
        let Commands { command: Command::Keys(command) } = Commands::parse();
        return process::main(manage(command));
    }
    saga::main_with::<Payment, Args, _>(run)
}

async fn run(args: Args) -> anyhow::Result<()> {
    let keys = args.keys.keys()?;
    let program = saga::Program::new(Payment, args.saga, &MIGRATIONS)?.grants(GRANTS);
    let gateway = Gateway::new(&args.gateway, keys.clone(), program.transport())?;
    if args.keys.has_example_key() {
        anyhow::ensure!(
            !program.transport().is_required(),
            "PAYMENT_DETAILS_KEY is the example's, which everyone knows, and SECURITY=required: set PAYMENT_KEYRING instead"
        );
        tracing::warn!("PAYMENT_DETAILS_KEY is the example's, which everyone knows: it protects nothing");
    }
    let sessions = program.work().sessions().clone();
    let methods = methods_api::routes(sessions.clone(), keys);
    program.operations(methods).outside(gateway.reading(sessions), args.retries).run().await
}

async fn manage(command: keys::command::Command) -> anyhow::Result<()> {
    process::telemetry::init()?;
    let text = keys::command::run(command).await?;
    std::io::stdout().write_all(text.as_bytes()).context("printing the result")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_fit_together() {
        Args::command().debug_assert();
        Commands::command().debug_assert();
    }
}
