//! The keys on a real PostgreSQL. `scenarios exec -- cargo test -p personal-data` starts one.

mod rights;
mod support;
mod vault;
