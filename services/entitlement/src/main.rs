use clap::Parser;
use entitlement::{Entitlement, GRANTS, MIGRATIONS};

/// The entitlement service: unlocks digital items, and revokes the unlock.
#[derive(Parser)]
#[command(version)]
struct Args {
    #[command(flatten)]
    saga: saga::config::Config,
}

fn main() -> anyhow::Result<()> {
    saga::main_with::<Entitlement, Args, _>(run)
}

async fn run(args: Args) -> anyhow::Result<()> {
    saga::Program::new(Entitlement, args.saga, &MIGRATIONS)?.grants(GRANTS).run().await
}
