//! What every program needs around its work: settings that never echo a password, logs and metrics, health judged by
//! progress, HTTP with bounds, database sessions that are discarded when they fall silent, and a clean stop.

pub mod backoff;
pub mod config;
pub mod crash;
pub mod health;
pub mod ops;
pub mod security;
pub mod sessions;
pub mod shutdown;
pub mod supervision;
pub mod telemetry;
pub mod unechoed;

mod http;
mod stalled;

pub use backoff::Backoff;
pub use supervision::main;
