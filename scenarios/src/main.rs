//! `scenarios`: starts the system, runs scenarios against it, and inspects it.

use std::process::ExitCode;

use clap::Parser;
use scenarios::command::Command;
use tracing_subscriber::{EnvFilter, filter::LevelFilter};

/// Starts the purchase saga's system, runs scenarios against it, and inspects it.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// Ends the command quietly when the reader of its output stops reading, as `head` does.
fn without_a_reader_end_quietly() {
    let complain = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let text = panic.payload().downcast_ref::<String>();
        if !text.is_some_and(|text| text.starts_with("failed printing to stdout")) {
            complain(panic);
        }
    }));
}

#[tokio::main]
async fn main() -> ExitCode {
    without_a_reader_end_quietly();
    let arguments = Arguments::parse();
    // Commands print their own output; the log adds only unexpected events. Those whose faults cause errors on purpose log
    // nothing.
    let unexpected = if arguments.command.causes_errors() { LevelFilter::OFF } else { LevelFilter::WARN };
    let filter = EnvFilter::builder().with_default_directive(unexpected.into()).from_env_lossy();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false).init();
    match arguments.command.run().await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Arguments::command().debug_assert();
    }
}
