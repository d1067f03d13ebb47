//! The audit log against a real Postgres and a broker. `scenarios exec` starts both and sets TEST_DATABASE_URL and
//! TEST_KAFKA_BROKERS.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

mod appending;
mod denials;
mod heads;
mod roles;
mod tampering;
