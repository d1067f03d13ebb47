use clap::Parser;
use entitlement::{Entitlement, MIGRATIONS};

/// The entitlement service: unlocks digital items, and takes the unlock back.
#[derive(Parser)]
#[command(version)]
struct Args {
    #[command(flatten)]
    kit: kit::config::Config,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    kit::Program::new(Entitlement, args.kit, &MIGRATIONS)?.run().await
}
