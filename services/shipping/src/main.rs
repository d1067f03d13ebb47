use clap::Parser;
use shipping::{MIGRATIONS, Shipping};

/// The shipping service: books parcels for physical items, and cancels them.
#[derive(Parser)]
#[command(version)]
struct Args {
    #[command(flatten)]
    kit: kit::config::Config,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    kit::Program::new(Shipping, args.kit, &MIGRATIONS)?.run().await
}
