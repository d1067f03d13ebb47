use clap::Parser;
use shipping::{MIGRATIONS, Shipping};

/// The shipping service: books parcels for physical items, and cancels them.
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
    kit::Program::new(Shipping, args.kit, &MIGRATIONS)?.run().await
}
