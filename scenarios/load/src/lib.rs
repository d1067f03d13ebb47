//! Load: many orders at once, and their outcomes.
//!
//! A [`Plan`](plan::Plan) has stages. Each sends its requests at its [`Pace`](plan::Pace) on a thread of its own (`sender.rs`),
//! observes the ends on another (`ear.rs`), and records both in a [`Tally`](tally::Tally), from which the
//! [`Figures`](figures::Figures) are computed at the end. All times come from the runner's clock. An order's latency begins at
//! the intended time of its request, and ends when the runner observes `OrderCompleted`, `OrderCancelled` or `OrderRejected` on
//! Kafka.

#![allow(clippy::print_stdout, reason = "what the runner has to say to people goes to standard output")]

pub mod bench;
pub mod cast;
pub mod ear;
pub mod figures;
pub mod machine;
pub mod mix;
pub mod plan;
pub mod processes;
pub mod report;
pub mod tally;
pub mod ticket;
pub mod times;

mod drive;
mod progress;
mod sender;
mod tokens;

pub use drive::run;
