//! The scenario runner: starts the whole system, drives it and judges the result.
//!
//! Its parts are crates of their own: [`testbed`] starts a system, [`catalogue`] has the scenarios and judges them, [`load`]
//! measures, [`chaos`] injects faults. [`operations`] has an operator's tools, which need none of these.

#![allow(clippy::print_stdout, reason = "what the runner has to say to people goes to standard output")]

pub mod command;

pub use catalogue::{self, check, ending, judge, play, report, stage};
pub use chaos;
pub use load::{self, bench};
pub use operations::{
    self, archive, audit, by_hand, choreography, databases, dead_letters, exhibit, heard, listener, positions,
    reconcile, requests, timeline,
};
pub use testbed::{self as stack, cast, seed};
