use clap::Parser;
use shipping::{GRANTS, MIGRATIONS, Shipping};

/// The shipping service: books parcels for physical items, and cancels them.
#[derive(Parser)]
#[command(version)]
struct Args {
    #[command(flatten)]
    saga: saga::config::Config,
    #[command(flatten)]
    personal: personal_data::Settings,
}

fn main() -> anyhow::Result<()> {
    saga::main_with::<Shipping, Args, _>(run)
}

async fn run(args: Args) -> anyhow::Result<()> {
    // What is missing is told before anything starts; the transport of the program is opened with it.
    let vault = args.personal.open(&args.saga.security.open()?)?;
    saga::Program::new(Shipping { vault }, args.saga, &MIGRATIONS)?.grants(GRANTS).run().await
}
