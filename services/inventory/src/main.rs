use clap::Parser;
use inventory::{Inventory, MIGRATIONS};

/// The inventory service: holds, commits and takes back stock.
#[derive(Parser)]
#[command(version)]
struct Args {
    #[command(flatten)]
    kit: kit::config::Config,
}

fn main() -> anyhow::Result<()> {
    kit::main(run(Args::parse()))
}

async fn run(args: Args) -> anyhow::Result<()> {
    kit::Program::new(Inventory, args.kit, &MIGRATIONS)?.run().await
}
