//! Everything that a service of a choreographed saga needs and that knows no service: the consumer loop, the unit of
//! work, inbox and outbox, durable attempts, start and stop.

pub mod config;
pub mod ops;
pub mod shutdown;
pub mod telemetry;
