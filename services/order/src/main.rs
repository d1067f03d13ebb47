use std::time::Duration;

use clap::Parser;
use order::{Denied, Doors, GRANTS, MIGRATIONS, Orders, Overdue, Requests, api};
use transport::Transport;

/// The order service: prices and places orders, and ends them.
#[derive(Parser)]
#[command(version)]
struct Args {
    #[command(flatten)]
    saga: saga::config::Config,
    #[command(flatten)]
    doors: Doors,
    #[command(flatten)]
    personal: personal_data::Settings,
    /// Deadline of an order in seconds: one that is still PENDING then is cancelled.
    #[arg(long, env = "ORDER_TIMEOUT_SECONDS", hide_env_values = true, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=31_536_000))]
    order_timeout_seconds: u64,
    /// Interval between checks for overdue orders, in milliseconds.
    #[arg(long, env = "ORDER_DEADLINE_CHECK_MS", hide_env_values = true, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(10..=3_600_000))]
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
    let (denied, recorder) = (Denied::default(), args.doors.recorder(&transport)?);
    let gate = verifier.clone().map(|verifier| args.doors.gate(verifier).counting(denied.clone()));
    let requests = verifier.filter(|_| required).map(|verifier| Requests::new(verifier).counting(denied.clone()));
    let recorded_every = args.doors.recorded_every();
    let vault = args.personal.open(&transport)?;
    let timeout = Duration::from_secs(args.order_timeout_seconds);
    let orders = Orders { timeout, ids: ids.clone(), requests, vault: vault.clone() };
    let program = saga::Program::new(orders, args.saga, &MIGRATIONS)?.grants(GRANTS);
    let program = if gate.is_some() { program.admit_by_token() } else { program };
    let routes = api::routes(program.work(), ids, gate.as_ref(), vault);
    let operations = api::for_operators(program.work());
    let recording = denied.recorded(recorder, recorded_every);
    let program = program.routes(routes).operations(operations);
    let ended = program.deadlines(Overdue, Duration::from_millis(args.order_deadline_check_ms)).run().await;
    recording.finish().await;
    ended
}

/// Client for the issuer's keys: an issuer outside has a certificate of the public authorities, one of ours of our own.
fn http_client(transport: &Transport) -> anyhow::Result<reqwest::Client> {
    access::client(transport.http()?)
}
