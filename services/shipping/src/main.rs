use clap::Parser;
use shipping::{GRANTS, MIGRATIONS, Shipping};

/// The shipping service: books parcels for physical items, and cancels them.
#[derive(Parser)]
#[command(version)]
struct Args {
    #[command(flatten)]
    saga: saga::config::Config,
}

fn main() -> anyhow::Result<()> {
    saga::main_with::<Shipping, Args, _>(run)
}

async fn run(args: Args) -> anyhow::Result<()> {
    saga::Program::new(Shipping, args.saga, &MIGRATIONS)?.grants(GRANTS).run().await
}
