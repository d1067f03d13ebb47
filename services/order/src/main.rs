use std::time::Duration;

use clap::Parser;
use order::{Doors, GRANTS, MIGRATIONS, Orders, Overdue, Requests, api};
use transport::Transport;

/// The order service: prices and places orders, and ends them.
#[derive(Parser)]
#[command(version)]
struct Args {
    #[command(flatten)]
    saga: saga::config::Config,
    #[command(flatten)]
    doors: Doors,
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
    // What is missing is told before anything starts; the transport of the program is opened with it.
    let transport = args.saga.security.open()?;
    let required = transport.is_required();
    args.doors.jwt.jwt_jwks_url.iter().try_for_each(|url| transport.check_url("JWT_JWKS_URL", url))?;
    let ids = args.doors.ids(required)?;
    let verifier = args.doors.verifier(required, || http_client(&transport))?;
    let gate = verifier.clone().map(|verifier| args.doors.gate(verifier));
    let requests = verifier.filter(|_| required).map(Requests::new);
    let orders = Orders { timeout: Duration::from_secs(args.order_timeout_seconds), ids: ids.clone(), requests };
    let program = saga::Program::new(orders, args.saga, &MIGRATIONS)?.grants(GRANTS);
    let program = if gate.is_some() { program.admit_by_token() } else { program };
    let routes = api::routes(program.work(), ids, gate.as_ref());
    let operations = api::for_operators(program.work());
    program
        .routes(routes)
        .operations(operations)
        .deadlines(Overdue, Duration::from_millis(args.order_deadline_check_ms))
        .run()
        .await
}

/// Client for the issuer's keys: an issuer outside has a certificate of the public authorities, one of ours of our own.
fn http_client(transport: &Transport) -> anyhow::Result<reqwest::Client> {
    access::client(transport.http()?)
}
