//! Reconciling: what does not agree, what would mend it, and mending it.
//!
//! Nobody's rows are edited. What is missing on Kafka is published again out of the outbox, under its old ids; an order that
//! does not move is told once more what somebody should have heard, as a new event that meets the same inbox, barrier and
//! decisions as any other; money that the gateway holds for nobody is let go through the gateway's own interface, under an
//! idempotency key. Where that is not enough a person is needed, and the finding says so.

mod case;
mod charges;
mod lost;
mod next;
mod picture;
mod repair;

pub use case::{Case, Remedy};
pub use next::{Fresh, Standing, next};
pub use picture::find;
pub use repair::{Outcome, Repairs};
