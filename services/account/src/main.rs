use account::{Account, GRANTS, MIGRATIONS};
use clap::Parser;

/// The account service: reserves, debits and refunds the buyer's balance.
#[derive(Parser)]
#[command(version)]
struct Args {
    #[command(flatten)]
    saga: saga::config::Config,
}

fn main() -> anyhow::Result<()> {
    saga::main_with::<Account, Args, _>(run)
}

async fn run(args: Args) -> anyhow::Result<()> {
    saga::Program::new(Account, args.saga, &MIGRATIONS)?.grants(GRANTS).run().await
}
