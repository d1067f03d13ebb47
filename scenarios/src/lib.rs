//! The scenario runner: starts the whole system, drives it and judges what it did.

#![allow(clippy::print_stdout, reason = "what the runner has to say to people goes to standard output")]

pub mod archive;
pub mod audit;
pub mod bench;
pub mod by_hand;
pub mod cast;
pub mod catalogue;
pub mod chaos;
pub mod check;
pub mod choreography;
pub mod command;
pub mod databases;
pub mod dead_letters;
pub mod ending;
pub mod exhibit;
pub mod heard;
pub mod judge;
pub mod listener;
pub mod load;
pub mod play;
mod positions;
pub mod reconcile;
pub mod report;
pub mod requests;
pub mod seed;
pub mod stack;
pub mod stage;
pub mod timeline;
