//! Everything that runs: the consumer loop, the inbox, units of work, calls to the outside, upkeep, and the program
//! around them.
//!
//! Requires the feature `runtime`. Without it, this crate is only the language in which services declare their events,
//! tables and decisions: nothing in it waits, connects or reads a setting.

mod admission;
mod answers;
mod aside;
pub mod attempts;
mod batch;
mod carry;
pub mod config;
mod consumer;
mod dead_letter;
mod entry;
mod erased;
mod inbox;
mod incoming;
mod journal;
mod launch;
mod membership;
pub mod memory;
mod migration;
pub mod parked;
mod positions;
mod prepare;
mod program;
mod reading;
#[cfg(feature = "testing")]
pub(crate) mod replica;
mod replication;
pub mod roles;
mod taking;
mod throttle;
mod timer;
pub mod topics;
mod trace_context;
pub mod unit_of_work;
mod unread;
pub mod upkeep;
mod wake;
mod work;

pub use entry::{main, main_with};
pub use migration::migrate;
pub use program::Program;
pub use timer::{Deadlines, Timer};
