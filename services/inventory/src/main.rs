use clap::Parser;
use inventory::{Inventory, MIGRATIONS};

/// The inventory service: holds, commits and takes back stock.
#[derive(Parser)]
#[command(version)]
struct Args {
    #[command(flatten)]
    kit: kit::config::Config,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    kit::Program::new(Inventory, args.kit, &MIGRATIONS)?.run().await
}
