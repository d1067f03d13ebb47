//! What every program needs around its work, and nothing of that work: settings that repeat no password, logs and metrics,
//! health that is judged by progress, HTTP with bounds, sessions of a database that are not trusted when they fall silent, and
//! an orderly stop.

pub mod backoff;
pub mod config;
pub mod crash;
pub mod health;
pub mod ops;
pub mod sessions;
pub mod shutdown;
pub mod supervision;
pub mod telemetry;
pub mod unechoed;

mod http;
mod stalled;

pub use backoff::Backoff;
pub use supervision::main;
