//! The keys on a real PostgreSQL. `scenarios exec -- cargo test -p personal-data` starts one.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod rights;
mod support;
mod vault;
