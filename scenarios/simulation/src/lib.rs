//! The shop without Kafka: its seven services on the bus of [`saga_check`], with first rows and what buyers wish.

pub mod books;
pub mod shop;
pub mod wish;

mod cast;

pub use cast::check;
