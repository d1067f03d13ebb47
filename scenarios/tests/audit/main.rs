//! The audit itself: it says nothing about books that are right, and finds everything that is not.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails as a test does")]

mod at_rest;
mod faults;
mod mutation;
mod running;
mod sealed;
mod shop;
mod since;
mod system;
mod tried;
