//! The scenario runner: starts the whole system, drives it and judges what it did.

#![allow(clippy::print_stdout, reason = "what the runner has to say to people goes to standard output")]

pub mod bench;
pub mod cast;
pub mod catalogue;
pub mod chaos;
pub mod check;
pub mod command;
pub mod ending;
pub mod judge;
pub mod load;
pub mod play;
pub mod report;
pub mod seed;
pub mod stack;
pub mod stage;

pub use operations::{
    archive, audit, by_hand, choreography, databases, dead_letters, exhibit, heard, listener, positions, reconcile,
    requests, timeline,
};
