//! Settings of Kafka and its clients, and headers of records.

use std::fmt;

use rdkafka::{
    ClientConfig,
    message::{Header, OwnedHeaders},
};
use transport::Transport;

use crate::{
    prefix::{Prefix, RealName},
    sasl::Sasl,
};

/// What a consumer calls its group that is in none: librdkafka wants a name, and looks for its coordinator.
pub const NO_GROUP: &str = "reads-without-a-group";

/// Address of Kafka, and settings for topics that have to be created.
#[derive(Debug, Clone)]
#[cfg_attr(feature = "clap", derive(clap::Args))]
pub struct Kafka {
    /// Kafka brokers as host:port, separated by commas.
    #[cfg_attr(
        feature = "clap",
        arg(long, env = "KAFKA_BROKERS", hide_env_values = true, value_delimiter = ',', required = true)
    )]
    pub kafka_brokers: Vec<String>,
    /// Number of partitions of a topic that has to be created.
    #[cfg_attr(feature = "clap", arg(long, env = "KAFKA_PARTITIONS", hide_env_values = true, default_value_t = 6, value_parser = clap::value_parser!(i32).range(1..=10_000)))]
    pub kafka_partitions: i32,
    /// Number of replicas of a topic that has to be created; a majority must have a record. Defaults to three where there are
    /// three brokers, else one.
    #[cfg_attr(feature = "clap", arg(long, env = "KAFKA_REPLICATION", hide_env_values = true, value_parser = clap::value_parser!(i32).range(1..=32_000)))]
    pub kafka_replication: Option<i32>,
    /// Name in the consumer group that stays the same across restarts and belongs to this process alone: a process that is
    /// killed and restarted gets its partitions back at once. `@hostname` stands for the machine's or the container's name.
    #[cfg_attr(feature = "clap", arg(long, env = "KAFKA_INSTANCE_ID", hide_env_values = true, value_parser = instance_id))]
    pub kafka_instance_id: Option<String>,
    /// `create` creates topics that are missing; `expect` leaves that to an administrator, and waits for them.
    #[cfg_attr(feature = "clap", arg(long, env = "KAFKA_TOPICS", hide_env_values = true, value_enum, default_value_t))]
    pub kafka_topics: Topics,
    /// What precedes the names of all topics and groups of this system on the broker, such as `staging.`, so that several systems
    /// can share it.
    #[cfg_attr(feature = "clap", arg(long, env = "KAFKA_PREFIX", hide_env_values = true, default_value = ""))]
    pub kafka_prefix: Prefix,
    /// Credentials, for a broker that authenticates by password.
    #[cfg_attr(feature = "clap", command(flatten))]
    pub kafka_sasl: Sasl,
}

/// Handling of topics that are missing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum Topics {
    /// They are created.
    #[default]
    Create,
    /// An administrator creates them; without the right to, a program can only wait.
    Expect,
}

/// Headers of a record to publish, in this order.
pub fn headers<K: AsRef<str>, V: AsRef<[u8]>>(pairs: &[(K, V)]) -> OwnedHeaders {
    pairs.iter().fold(OwnedHeaders::new_with_capacity(pairs.len()), |all, (key, value)| {
        all.insert(Header { key: key.as_ref(), value: Some(value.as_ref()) })
    })
}

/// Parses an instance id; replaces `@hostname` with the machine's name.
#[cfg(any(test, feature = "clap"))]
fn instance_id(text: &str) -> Result<String, String> {
    match text {
        "@hostname" => {
            let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
            let name = name.trim();
            if name.is_empty() { Err("the name of this machine is unknown".to_owned()) } else { Ok(name.to_owned()) }
        }
        "" => Err("an instance id cannot be empty".to_owned()),
        name => Ok(name.to_owned()),
    }
}

/// A cluster and the way to reach it: makes all of a program's clients.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// Address, and settings for topics that have to be created.
    pub kafka: Kafka,
    /// Encryption and certificates.
    pub transport: Transport,
}

impl fmt::Display for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.brokers())
    }
}

impl Kafka {
    /// The cluster at these addresses, reached over this transport.
    pub fn over(self, transport: &Transport) -> Cluster {
        Cluster { kafka: self, transport: transport.clone() }
    }
}

impl Cluster {
    /// A cluster by its addresses alone, for programs that create no topics.
    pub fn at(brokers: &str, transport: &Transport) -> Self {
        let kafka_brokers = brokers.split(',').map(str::to_owned).collect();
        let kafka = Kafka {
            kafka_brokers,
            kafka_partitions: 1,
            kafka_replication: Some(1),
            kafka_instance_id: None,
            kafka_topics: Topics::Create,
            kafka_prefix: Prefix::default(),
            kafka_sasl: Sasl::default(),
        };
        kafka.over(transport)
    }

    /// The same cluster, reached with these credentials.
    #[must_use]
    pub fn with(mut self, sasl: Sasl) -> Self {
        self.kafka.kafka_sasl = sasl;
        self
    }

    /// The same cluster, where this system's topics and groups have this prefix.
    #[must_use]
    pub fn prefixed(mut self, prefix: Prefix) -> Self {
        self.kafka.kafka_prefix = prefix;
        self
    }

    /// What precedes the names of this system's topics and groups.
    pub fn prefix(&self) -> &Prefix {
        &self.kafka.kafka_prefix
    }

    /// A topic as the broker has it.
    pub fn topic(&self, name: &str) -> RealName {
        self.prefix().of(name)
    }

    /// A consumer group as the broker has it.
    pub fn group(&self, name: &str) -> RealName {
        self.prefix().of(name)
    }

    /// Addresses of the brokers, host:port, separated by commas.
    pub fn brokers(&self) -> String {
        self.kafka.kafka_brokers.join(",")
    }

    /// Settings that all clients share.
    pub fn client(&self, program: &str) -> ClientConfig {
        let mut client = self.transport.kafka(&self.brokers());
        client
            .set("client.id", program)
            .set("socket.nagle.disable", "true")
            .set("reconnect.backoff.ms", "50")
            // A returning broker is found within a second. Trying a closed port twice a second costs nothing.
            .set("reconnect.backoff.max.ms", "500")
            // By default a silent connection is noticed only after a minute. A request that takes longer than this is
            // repeated.
            .set("socket.timeout.ms", "6000")
            .set("socket.connection.setup.timeout.ms", "3000")
            .set("allow.auto.create.topics", "false");
        self.kafka.kafka_sasl.apply(&mut client);
        client
    }

    /// Settings of a producer that loses nothing and preserves the order per key.
    pub fn producer(&self, program: &str) -> ClientConfig {
        let mut client = self.client(program);
        client
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("compression.type", "lz4")
            .set("linger.ms", "0")
            // Java's default, so that other programs map a key to the same partition number.
            .set("partitioner", "murmur2_random")
            .set("message.max.bytes", "2000000");
        client
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::message::Headers;

    use super::*;

    #[test]
    fn headers_keep_their_order_also_where_a_name_comes_twice() {
        let all = headers(&[("ce_type", "RoomHeld"), ("x", "1"), ("x", "2")]);
        let all: Vec<_> = all.iter().map(|header| (header.key, header.value)).collect();
        assert_eq!(all, [("ce_type", Some(&b"RoomHeld"[..])), ("x", Some(b"1")), ("x", Some(b"2"))]);
    }

    #[test]
    fn an_instance_is_named_by_a_word_or_by_its_machine() {
        assert_eq!(instance_id("hotel-1").as_deref(), Ok("hotel-1"));
        assert!(instance_id("").is_err());
        let name = instance_id("@hostname").expect("this machine has a name");
        assert!(!name.is_empty() && !name.contains(['@', '\n']), "{name}");
    }
}
