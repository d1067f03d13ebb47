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

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
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
