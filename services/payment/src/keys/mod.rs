//! The keys of payment methods' details as an operator sees them: settings, the table of keys, rotation, and the command
//! `payment keys`.

pub mod command;
mod recorded;
pub mod rotation;
pub mod settings;
pub mod store;

pub use settings::{KeySettings, is_example_key};
