//! `scenarios seed`: inserts the well-known data.

use std::process::ExitCode;

use clap::Args;

use testbed::seed;

/// Inserts the well-known people and goods into a running system. Running it again changes nothing.
#[derive(Debug, Args)]
pub struct Seed {
    /// Also insert users 1001 to 11000 (1,000,000 JPY and a wallet each) and products 1001 to 2000 (digital, 100 JPY, 1,000,000
    /// in stock).
    #[arg(long)]
    many: bool,
}

impl Seed {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let environment = operations::command::running()?;
        seed::well_known(&environment).await?;
        println!("the well-known people and goods are in place");
        if self.many {
            seed::many(&environment).await?;
            println!("ten thousand more users and a thousand more products are in place");
        }
        Ok(ExitCode::SUCCESS)
    }
}
