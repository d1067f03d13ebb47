//! Faults of the connections between programs and servers.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use futures::FutureExt;
use testbed::{Mode, Network, Program};
use tokio::time::sleep;

use super::{Ended, Ending, Injector, NOT_OURS};
use crate::fault::Server;

impl Injector<'_> {
    pub(super) fn strand_database(&self, program: Program) -> anyhow::Result<Ending> {
        let network = self.stack.network().context(NOT_OURS)?;
        network.databases_of(program).for_each(|line| line.strand());
        Ok(async { Ok(Ended::now()) }.boxed())
    }

    pub(super) fn break_line(
        &self,
        program: Program,
        server: Server,
        mode: Mode,
        time: Duration,
    ) -> anyhow::Result<Ending> {
        let network = self.stack.network().context(NOT_OURS)?;
        let diary = self.diary.clone();
        set(&network, program, server, mode);
        Ok(async move {
            sleep(time).await;
            set(&network, program, server, Mode::Pass);
            diary.note(format!("  the line between {program} and {server} is as it was"));
            Ok(Ended::now())
        }
        .boxed())
    }
}

fn set(network: &Arc<Network>, program: Program, server: Server, mode: Mode) {
    match server {
        Server::Postgres => network.databases_of(program).for_each(|line| line.set(mode)),
        Server::Kafka => network.kafka_of(program).into_iter().for_each(|line| line.set(mode)),
    }
}
