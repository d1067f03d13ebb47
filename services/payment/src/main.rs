use clap::Parser;
use kit::attempts::RetryPolicy;
use payment::{
    MIGRATIONS, Payment,
    gateway::{self, Gateway},
};

/// The payment service: holds, collects and gives back what an order costs.
#[derive(Parser)]
#[command(version)]
struct Args {
    #[command(flatten)]
    kit: kit::config::Config,
    #[command(flatten)]
    gateway: gateway::Access,
    #[command(flatten)]
    retries: RetryPolicy,
}

fn main() -> anyhow::Result<()> {
    kit::main(run(Args::parse()))
}

async fn run(args: Args) -> anyhow::Result<()> {
    let gateway = Gateway::new(&args.gateway)?;
    kit::Program::new(Payment, args.kit, &MIGRATIONS)?.outside(gateway, args.retries).run().await
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
