use std::time::Duration;

use clap::Parser;
use order::{MIGRATIONS, Orders, Overdue, Requests, Security, api};

/// The order service: prices and places orders, and ends them.
#[derive(Parser)]
#[command(version)]
struct Args {
    #[command(flatten)]
    saga: saga::config::Config,
    #[command(flatten)]
    security: Security,
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
    let ids = args.security.ids()?;
    let verifier = args.security.verifier(http_client)?;
    let gate = verifier.clone().map(|verifier| args.security.gate(verifier));
    let requests = verifier.filter(|_| args.security.required()).map(Requests::new);
    let orders = Orders { timeout: Duration::from_secs(args.order_timeout_seconds), ids: ids.clone(), requests };
    let program = saga::Program::new(orders, args.saga, &MIGRATIONS)?;
    let routes = api::routes(program.work(), ids, gate.as_ref());
    program.routes(routes).deadlines(Overdue, Duration::from_millis(args.order_deadline_check_ms)).run().await
}

/// Client for the issuer's keys. It trusts the certificate authorities of the system.
fn http_client() -> anyhow::Result<reqwest::Client> {
    // Fails only if there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    access::client(reqwest::Client::builder())
}
