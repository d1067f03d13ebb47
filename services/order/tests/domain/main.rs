//! Decisions only: no database, no broker.

mod anything;
mod desk;
mod endings;
mod pairs;
mod placing;
