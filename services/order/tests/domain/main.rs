//! Decisions only: no database, no broker.

mod anything;
mod desk;
mod endings;
mod erasure;
mod pairs;
mod placing;
