//! The service on a real Postgres: its rows, its deadlines, its API.

mod api;
mod client;
mod deadline;
mod denied;
mod door;
mod erasure;
mod keyed;
mod list;
mod owners;
mod store;
mod tokens;
