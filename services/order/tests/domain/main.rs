//! The decisions alone: no database, no broker.

mod desk;
mod endings;
mod pairs;
mod placing;
