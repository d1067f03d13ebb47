//! Acts on keys, recorded in the audit log before they happen.

use audit_log::{Act, Actor, Ended, Recorder};
use clap::Args;
use saga::outbox::{Prefix, kafka::Cluster, sasl::Sasl};
use saga::transport::Transport;

/// Reason for an act, and the broker on which the audit log's heads are announced.
#[derive(Debug, Args)]
pub struct Recorded {
    /// Reason, for the audit log.
    #[arg(long, default_value = "")]
    note: String,
    /// Kafka brokers as host:port, separated by commas: the head of the audit log is announced there. Without them it stays due.
    #[arg(long, env = "KAFKA_BROKERS", hide_env_values = true, default_value = "")]
    kafka_brokers: String,
    /// What precedes the names of all topics of this system on the broker.
    #[arg(long, env = "KAFKA_PREFIX", hide_env_values = true, default_value = "")]
    kafka_prefix: Prefix,
    #[command(flatten)]
    kafka_sasl: Sasl,
}

impl Recorded {
    /// Records that the act begins, carries it out, and records how it ended. `carry_out` returns what to print.
    ///
    /// # Errors
    /// If the act could not be recorded, or there is no audit log although SECURITY=required: then nothing was done. Otherwise
    /// the act's own error.
    pub(super) async fn act(
        &self,
        transport: &Transport,
        action: &'static str,
        key: impl std::fmt::Display,
        carry_out: impl Future<Output = anyhow::Result<String>>,
    ) -> anyhow::Result<String> {
        let cluster = Cluster::at(&self.kafka_brokers, transport).with(self.kafka_sasl.clone());
        let mut cluster = cluster.prefixed(self.kafka_prefix.clone());
        cluster.kafka.kafka_brokers.retain(|broker| !broker.is_empty());
        let recorder = Recorder::of_the_process(&cluster)?;
        let act = Act::new(Actor::of_the_process(transport), action, "key", key).because(&self.note);
        recorder.audited(&act, carry_out, |said| Ended::done(said.trim_end())).await
    }
}
