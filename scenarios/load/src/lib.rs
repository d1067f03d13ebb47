//! Load: many orders at once, and what became of them.
//!
//! A [`Plan`](plan::Plan) has stages. Each sends its requests at its [`Pace`](plan::Pace) from a thread of its own
//! (`sender.rs`), hears of the ends on another (`ear.rs`), and notes both in a [`Tally`](tally::Tally), from which the
//! [`Figures`](figures::Figures) are made when it is over. One clock measures everything: the runner's. An order's latency
//! begins when its request was meant to be sent and ends when the runner hears `OrderCompleted`, `OrderCancelled` or
//! `OrderRejected` on Kafka.

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

pub use drive::run;
