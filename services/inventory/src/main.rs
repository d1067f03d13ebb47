use clap::Parser;
use inventory::{GRANTS, Inventory, MIGRATIONS};

/// The inventory service: reserves, commits and takes back stock.
#[derive(Parser)]
#[command(version)]
struct Args {
    #[command(flatten)]
    saga: saga::config::Config,
}

fn main() -> anyhow::Result<()> {
    saga::main_with::<Inventory, Args, _>(run)
}

async fn run(args: Args) -> anyhow::Result<()> {
    saga::Program::new(Inventory, args.saga, &MIGRATIONS)?.grants(GRANTS).run().await
}
