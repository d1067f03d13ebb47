use clap::Parser;
use entitlement::{Entitlement, MIGRATIONS};

/// The entitlement service: unlocks digital items, and takes the unlock back.
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
    kit::Program::new(Entitlement, args.kit, &MIGRATIONS)?.run().await
}
