//! Tests of the audit: it finds nothing in correct books, and every fault in others.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails as a test does")]

mod at_rest;
mod erased;
mod faults;
mod mutation;
mod running;
mod sealed;
mod shop;
mod since;
mod system;
mod tried;
