//! The gateway through its router: what clients see, and what a restart keeps.

mod client;
mod http;
mod journal;
