//! A client for the requests of Kafka's protocol that librdkafka offers no safe interface for: rules of access.
//!
//! It is for an administrator's few requests: one connection to the first broker that answers, one request at a time.

mod connection;
mod rules;
mod scram;

pub use connection::{Connection, Refused};
pub use rules::Rules;
