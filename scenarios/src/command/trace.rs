//! `scenarios trace`: one order's flow across all topics.

use std::{process::ExitCode, time::Duration};

use clap::Args;
use events::OrderId;

use crate::{
    archive,
    heard::Heard,
    listener::{self, Listener, Since},
    timeline,
};

/// Shows one order's flow: time, service, event, how long each hop took, and what is missing.
#[derive(Debug, Args)]
pub struct Trace {
    /// The order.
    order_id: OrderId,
    /// Goes on showing what comes, until the saga has ended.
    #[arg(long)]
    follow: bool,
    /// host:port, several with commas.
    #[arg(long, env = "KAFKA_BROKERS")]
    brokers: String,
}

impl Trace {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        if self.follow { self.follow().await } else { self.look().await }
    }

    async fn look(self) -> anyhow::Result<ExitCode> {
        let (brokers, order) = (self.brokers.clone(), self.order_id);
        let mut events = tokio::task::spawn_blocking(move || {
            let mut events = Vec::new();
            archive::read(&brokers, &listener::topics(), |record| {
                events.extend(Heard::from_record(&record).filter(|heard| heard.order_id == order));
            })?;
            anyhow::Ok(events)
        })
        .await??;
        events.sort_by_key(|event| event.at);
        if events.is_empty() {
            println!("nothing has been said of order {order}");
            return Ok(ExitCode::FAILURE);
        }
        timeline::lines(&events).iter().for_each(|line| println!("{line}"));
        for missing in timeline::missing(&events) {
            println!("missing {missing}");
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn follow(self) -> anyhow::Result<ExitCode> {
        let listener = Listener::start(&self.brokers, Since::Beginning).await?;
        let mut shown = Vec::new();
        println!("{}", timeline::heading());
        loop {
            let known = shown.len();
            tokio::select! {
                _ = listener.wait(Duration::from_secs(3600), |listener| listener.of(self.order_id).len() > known) => {}
                _ = tokio::signal::ctrl_c() => break,
            }
            let events = listener.of(self.order_id);
            // By id, not by place: what was said earlier may be heard later.
            for event in
                events.iter().filter(|event| !shown.contains(&(event.topic.clone(), event.partition, event.offset)))
            {
                println!("{}", timeline::line(event, events[0].at, timeline::cause_of(event, &events)));
            }
            shown = events.iter().map(|event| (event.topic.clone(), event.partition, event.offset)).collect();
            if timeline::has_ended(&events) {
                return Ok(ExitCode::SUCCESS);
            }
        }
        for missing in timeline::missing(&listener.of(self.order_id)) {
            println!("missing {missing}");
        }
        Ok(ExitCode::SUCCESS)
    }
}
