//! Exchanges a running program for another version of it, as a rolling deployment does.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use futures::future::BoxFuture;
use tokio::{sync::watch, time::sleep};

use super::{super::reporter::Reporter, Launch, Life, Program, Supervisor, supervisor::Exchange};

const READY_WITHIN: Duration = Duration::from_secs(90);

/// A program whose version can be changed while it runs.
#[derive(Debug)]
pub struct Rolling {
    program: Program,
    launch: Launch,
    life: watch::Receiver<Life>,
    exchange: Exchange,
    url: String,
    reporter: Reporter,
}

impl Rolling {
    pub(super) fn new(
        program: Program,
        launch: Launch,
        life: watch::Receiver<Life>,
        exchange: Exchange,
        url: String,
        reporter: Reporter,
    ) -> Self {
        Rolling { program, launch, life, exchange, url, reporter }
    }

    pub fn program(&self) -> Program {
        self.program
    }

    /// The binary that it was first started with.
    pub fn original(&self) -> &Path {
        &self.launch.binary
    }

    /// Changes the program to this binary: an instance of it starts beside the old one, both run for a while, then the old one
    /// is stopped in order and replaced, and at last the additional one is stopped. The same binary is a rolling restart.
    ///
    /// # Errors
    /// If an instance does not become ready, or the program is stopped meanwhile.
    pub fn to(&self, binary: PathBuf, together: Duration) -> BoxFuture<'_, anyhow::Result<()>> {
        Box::pin(async move {
            let new = binary.clone();
            let (second, url) = one_more(self.program, &self.launch, &self.reporter, |launch| launch.binary = new)?;
            second.ready(&url, READY_WITHIN).await.context("starting another version beside the running one")?;
            sleep(together).await;
            self.exchange.to(binary).await?;
            self.launch.ready(&self.life, &self.url, READY_WITHIN).await.context("replacing the running version")?;
            second.stop().await
        })
    }
}

/// Starts another replica of a running program, with its own port and instance id, modified by `change`; returns its base URL
/// too.
pub(super) fn one_more(
    program: Program,
    launch: &Launch,
    reporter: &Reporter,
    change: impl FnOnce(&mut Launch),
) -> anyhow::Result<(Supervisor, String)> {
    let mut launch = launch.clone();
    launch.name.push_str(" (a second one)");
    launch.log.set_file_name(format!("{program}-2.log"));
    let port = super::super::ports::free()?;
    launch.variables.push(("HTTP_ADDR".to_owned(), format!("127.0.0.1:{port}")));
    let url = match launch.variables.iter().any(|(name, _)| name == "OPS_ADDR") {
        true => {
            let operations = super::super::ports::free()?;
            launch.variables.push(("OPS_ADDR".to_owned(), format!("127.0.0.1:{operations}")));
            format!("https://127.0.0.1:{operations}")
        }
        false => format!("http://127.0.0.1:{port}"),
    };
    if program.consumes() {
        launch.variables.push(("KAFKA_INSTANCE_ID".to_owned(), format!("{program}-{port}")));
    }
    change(&mut launch);
    Ok((Supervisor::start(launch, reporter.clone(), |_| {})?, url))
}
