//! `scenarios trace`: one order's flow across all topics.

use crate::cluster_of_the_process;
use saga::outbox::kafka::Cluster;
use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::Args;
use events::OrderId;
use futures::future::select_all;
use saga::record::Record;

use super::programs::Programs;
use crate::{
    archive,
    choreography::Choreography,
    heard::Heard,
    listener::{self, Listener, Since},
    timeline,
};

/// Maximum total time to read the topics of services that this program was not compiled with.
const FURTHER_WITHIN: Duration = Duration::from_secs(20);
/// Interval at which [`Trace::follow`] looks for new topics while no event arrives.
const LOOK_FOR_TOPICS: Duration = Duration::from_secs(5);

/// Shows one order's flow: time, service, event, duration of each hop, and what is missing.
#[derive(Debug, Args)]
pub struct Trace {
    /// Id of the order.
    order_id: OrderId,
    /// Keep showing new events until the saga has ended.
    #[arg(long)]
    follow: bool,
    /// Kafka brokers as host:port, separated by commas.
    #[arg(long, env = "KAFKA_BROKERS", hide_env_values = true)]
    brokers: String,
    #[command(flatten)]
    programs: Programs,
}

impl Trace {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let cluster = cluster_of_the_process(&self.brokers)?;
        if self.follow { self.follow(&cluster).await } else { self.look(&cluster).await }
    }

    async fn look(self, cluster: &Cluster) -> anyhow::Result<ExitCode> {
        let choreography = self.programs.reachable().await?;
        let events = self.said_so_far(cluster, further_topics(cluster).await?).await?;
        if events.is_empty() {
            println!("no event of order {} was found", self.order_id);
            return Ok(ExitCode::FAILURE);
        }
        timeline::lines(&events).iter().for_each(|line| println!("{line}"));
        tell_missing(&choreography, &events);
        Ok(ExitCode::SUCCESS)
    }

    /// Starts listening before it reads what is already there, so that nothing is missed between the two.
    async fn follow(self, cluster: &Cluster) -> anyhow::Result<ExitCode> {
        let choreography = self.programs.reachable().await?;
        let mut further = further_topics(cluster).await?;
        let topics = [listener::topics(), further.clone()].concat();
        let mut listeners = vec![Listener::start_on(cluster, topics, Since::Now).await?];
        let mut events = self.said_so_far(cluster, further.clone()).await?;
        let mut shown = 0;
        println!("{}", timeline::heading());
        // One for the whole time: pressed while topics are looked for, it counts as well.
        let mut interrupted = std::pin::pin!(tokio::signal::ctrl_c());
        loop {
            // Late arrivals are shown last, whatever their time.
            for event in &events[shown..] {
                println!("{}", timeline::line(event, events[0].at, timeline::cause_of(event, &events)));
            }
            shown = events.len();
            if timeline::has_ended(&events) {
                return Ok(ExitCode::SUCCESS);
            }
            let new = |listener: &Listener| {
                let heard = listener.of(self.order_id).into_iter();
                heard.filter(|event| !events.iter().any(|known| known.place() == event.place())).collect::<Vec<_>>()
            };
            let heard = |listener| Box::pin(Listener::wait(listener, LOOK_FOR_TOPICS, |heard| !new(heard).is_empty()));
            let is_heard = tokio::select! {
                (is_heard, ..) = select_all(listeners.iter().map(heard)) => is_heard,
                _ = &mut interrupted => break,
            };
            let new: Vec<Heard> = listeners.iter().flat_map(new).collect();
            events.extend(new);
            if !is_heard {
                tokio::select! {
                    new = listen_to_new_topics(cluster, &mut further) => listeners.extend(new),
                    _ = &mut interrupted => break,
                }
            }
        }
        tell_missing(&choreography, &events);
        Ok(ExitCode::SUCCESS)
    }

    /// Everything published so far, in order of time.
    async fn said_so_far(&self, cluster: &Cluster, further: Vec<String>) -> anyhow::Result<Vec<Heard>> {
        let (brokers, order) = (cluster.clone(), self.order_id);
        let reading = tokio::task::spawn_blocking(move || {
            let mut events = Vec::new();
            let mut hear = |record: &Record| {
                events.extend(Heard::from_record(record).filter(|heard| heard.order_id == order));
            };
            archive::read(&brokers, &listener::topics(), |record| hear(&record))?;
            // Other publishers' topics may be endless or unreadable: they must not hide the shop's.
            let share = FURTHER_WITHIN / u32::try_from(further.len().max(1)).unwrap_or(u32::MAX);
            for topic in further {
                let end = Instant::now() + share;
                let read = archive::read_until(&brokers, std::slice::from_ref(&topic), end, |record| hear(&record));
                match read {
                    Ok(true) => {}
                    Ok(false) => tracing::warn!(
                        topic,
                        "the topic was not read to its end within {} s; the trace may be incomplete",
                        FURTHER_WITHIN.as_secs()
                    ),
                    Err(error) => {
                        tracing::warn!(topic, error = %format!("{error:#}"), "the topic cannot be read; the trace leaves it out")
                    }
                }
            }
            anyhow::Ok(events)
        });
        let mut events = reading.await??;
        events.sort_by_key(|event| event.at);
        Ok(events)
    }
}

/// Topics of services that this program was not compiled with.
async fn further_topics(cluster: &Cluster) -> anyhow::Result<Vec<String>> {
    let brokers = cluster.clone();
    tokio::task::spawn_blocking(move || listener::further_topics(&brokers)).await?
}

/// Listens from the beginning to topics created since the previous call. If the broker does not answer, the next call tries
/// again.
async fn listen_to_new_topics(cluster: &Cluster, known: &mut Vec<String>) -> Option<Listener> {
    let mut topics = further_topics(cluster).await.ok()?;
    topics.retain(|topic| !known.contains(topic));
    if topics.is_empty() {
        return None;
    }
    let listener = Listener::start_on(cluster, topics, Since::Beginning).await.ok()?;
    // A broker may not know yet what another one has told of.
    known.extend(listener.topics().iter().cloned());
    Some(listener)
}

fn tell_missing(choreography: &Choreography, events: &[Heard]) {
    for missing in timeline::missing(choreography, events) {
        println!("missing {missing}");
    }
}
