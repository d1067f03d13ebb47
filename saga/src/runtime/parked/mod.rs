//! Parked work: work that a service could not do, set aside until an operator has looked at it.
//!
//! An event that cannot be processed is stored in full in `parked_events`, and the partition goes on. Only its saga
//! waits: the saga's later events queue up behind it, so that none overtakes it. An operator retries or resolves it
//! ([`desk`]); then the service processes it and those behind it, in order, through the same decisions and the same
//! transaction as everything else.
//!
//! | status | the event |
//! |---|---|
//! | `parked` | needs an operator |
//! | `waiting` | waits behind a parked one of its saga |
//! | `retry` | is retried at an operator's request |
//! | `settled` | has been processed or resolved |
//!
//! An event of a later version than the program reads is `parked` too, with that version in `parked_newer`. Any instance
//! that reads this version retries it by itself: in a rolling change it waits for the newer instances, and after a rollback
//! for the next attempt, or for an operator.
//!
//! The first unsettled event of a saga decides for all behind it. Every instance checks this in the transaction in which
//! it would process an event, so any number of instances may run. An event that another instance is deciding on while
//! this one is parked counts as earlier.
//!
//! A call to the outside that has used up its retries is parked too, as an attempt; see [`attempts`](crate::attempts).

pub mod desk;

mod shelf;
mod worker;

pub(crate) use shelf::{Why, park, park_again, queue, settle, waiting_sagas};
#[cfg(feature = "testing")]
pub(crate) use worker::retry_due;
pub(crate) use worker::{LOOK, run};
