use std::time::Duration;

use clap::Parser;
use order::{GRANTS, MIGRATIONS, Orders, Overdue, api};

/// The order service: prices and places orders, and ends them.
#[derive(Parser)]
#[command(version)]
struct Args {
    #[command(flatten)]
    saga: saga::config::Config,
    /// Deadline of an order in seconds: one that is still PENDING then is cancelled.
    #[arg(long, env = "ORDER_TIMEOUT_SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=31_536_000))]
    order_timeout_seconds: u64,
    /// Interval between checks for overdue orders, in milliseconds.
    #[arg(long, env = "ORDER_DEADLINE_CHECK_MS", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(10..=3_600_000))]
    order_deadline_check_ms: u64,
}

fn main() -> anyhow::Result<()> {
    saga::main_with::<Orders, Args, _>(run)
}

async fn run(args: Args) -> anyhow::Result<()> {
    let orders = Orders { timeout: Duration::from_secs(args.order_timeout_seconds) };
    let program = saga::Program::new(orders, args.saga, &MIGRATIONS)?.grants(GRANTS);
    let routes = api::routes(program.work());
    program.routes(routes).deadlines(Overdue, Duration::from_millis(args.order_deadline_check_ms)).run().await
}
