//! The relay's binary, configured for the shop's databases as in the whole system.

use std::{net::TcpListener, time::Duration};
use transport::Transport;

use anyhow::Context;
use testbed::{Launch, Manifest, Program, Reporter, Supervisor, binary_of};

use crate::bench::ground::Ground;

/// A running relay.
pub(super) struct RelayProcess {
    supervisor: Supervisor,
    url: String,
}

pub(super) fn start(ground: &Ground, reporter: &Reporter) -> anyhow::Result<RelayProcess> {
    let address = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    let address = address.context("finding a free port")?;
    let shop = Manifest::of_the_shop();
    let mut variables = vec![
        ("KAFKA_BROKERS".to_owned(), ground.brokers().to_owned()),
        ("HTTP_ADDR".to_owned(), address.to_string()),
        ("RUST_LOG".to_owned(), "warn".to_owned()),
        ("RELAY_PUBLISHERS".to_owned(), shop.publishers()),
    ];
    for database in shop.databases() {
        variables.push((database.variable(), ground.url(database)?.to_owned()));
    }
    let launch = Launch {
        name: Program::OUTBOX_RELAY.name().to_owned(),
        binary: binary_of(Program::OUTBOX_RELAY)?,
        arguments: Vec::new(),
        variables,
        log: ground.state.log_of(Program::OUTBOX_RELAY.name()),
        transport: Transport::plain(),
    };
    let supervisor = Supervisor::start(launch, reporter.clone(), |_| {})?;
    Ok(RelayProcess { supervisor, url: format!("http://{address}") })
}

impl RelayProcess {
    /// # Errors
    /// If it is not running.
    pub(super) fn pid(&self) -> anyhow::Result<u32> {
        self.supervisor.life().pid.context("the relay does not run")
    }

    pub(super) async fn ready(&self) -> anyhow::Result<()> {
        self.supervisor.ready(&self.url, Duration::from_secs(30)).await
    }

    pub(super) async fn stop(self) -> anyhow::Result<()> {
        self.supervisor.stop().await
    }
}
