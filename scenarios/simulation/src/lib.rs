//! The shop without Kafka: its seven services on the bus of [`saga_check`], and on their real databases beside it.
//!
//! A [`Case`] is a run as a file: a shop, what buyers wish, and what happens, step by step. `scenarios play` plays one.

pub mod books;
pub mod databases;
pub mod shop;
pub mod wish;

mod case;
mod cast;
mod fault;

pub use case::{Case, Line};
pub use cast::lines;
pub use databases::Databases;
pub use fault::Fault;
