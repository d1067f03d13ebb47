//! The payment service: its table, its decisions, its rows and its calls.

mod calling;
mod database;
mod decisions;
mod interleavings;
mod lifecycle;
mod orders;
mod service;
