//! Benchmarks: the machine's limits, the relay alone, and whole sagas.
//!
//! Machines differ, so a figure alone says little. Each is measured in the same run beside a baseline: the same database and
//! broker driven directly, without services or relay. And, in alternation, beside the naive configuration: the same services set
//! to one event per transaction and one message per request.

pub mod floor;
pub mod ground;
pub mod raw;
pub mod relay;
pub mod sagas;
pub mod sql;
pub mod summary;
pub mod turns;
pub mod verdict;
