//! The payment service: its decisions and its lifecycle.

mod decisions;
mod lifecycle;
mod orders;
