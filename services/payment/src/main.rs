use clap::Parser;
use payment::{
    GRANTS, MIGRATIONS, Payment,
    gateway::{self, Gateway},
};
use saga::attempts::RetryPolicy;

/// The payment service: authorizes, captures, voids and refunds an order's payment.
#[derive(Parser)]
#[command(version)]
struct Args {
    #[command(flatten)]
    saga: saga::config::Config,
    #[command(flatten)]
    gateway: gateway::Access,
    #[command(flatten)]
    retries: RetryPolicy,
}

fn main() -> anyhow::Result<()> {
    saga::main_with::<Payment, Args, _>(run)
}

async fn run(args: Args) -> anyhow::Result<()> {
    let gateway = Gateway::new(&args.gateway)?;
    saga::Program::new(Payment, args.saga, &MIGRATIONS)?.grants(GRANTS).outside(gateway, args.retries).run().await
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_fit_together() {
        Args::command().debug_assert();
    }
}
