//! The relay against a real Postgres and a real Kafka. `make test` starts both and sets TEST_DATABASE_URL and
//! TEST_KAFKA_BROKERS.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

mod binding;
mod content;
mod crash;
mod debezium;
mod expiry;
mod gaps;
mod handover;
mod leaderless;
mod new_producer;
mod refusal;
mod replay;
mod running;
mod sequence;
mod silence;
mod sizes;
