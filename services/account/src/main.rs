use account::{Account, MIGRATIONS};
use clap::Parser;

/// The account service: holds, takes and gives back the buyer's balance.
#[derive(Parser)]
#[command(version)]
struct Args {
    #[command(flatten)]
    kit: kit::config::Config,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    kit::Program::new(Account, args.kit, &MIGRATIONS)?.run().await
}
