//! The gateway through its router: its behaviour for clients, and what survives a restart.

mod client;
mod http;
mod journal;
