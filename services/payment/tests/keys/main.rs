//! The keys of payment methods' details, on a real database: misuses that must fail, rotation, and the programs.

mod api;
mod audited;
mod erasure;
mod program;
mod retired;
mod rotated;
mod shop;
mod swapped;
