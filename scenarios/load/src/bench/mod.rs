//! What the machine could do at most, what the relay does, what whole sagas do, and each beside the others.
//!
//! A figure alone says little: machines differ. So each is measured beside a floor, in the same run: the same database and
//! broker driven directly, without services or relay. And beside the naive way, alternating: the same services by their
//! settings, one event in a transaction and one message in a request.

pub mod floor;
pub mod ground;
pub mod raw;
pub mod relay;
pub mod sagas;
pub mod sql;
pub mod summary;
pub mod verdict;
