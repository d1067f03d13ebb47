use account::{Account, MIGRATIONS};
use clap::Parser;

/// The account service: holds, takes and gives back the buyer's balance.
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
    kit::Program::new(Account, args.kit, &MIGRATIONS)?.run().await
}
