//! Reconciling: what does not agree, what would mend it, and mending it, while everything goes on.
//!
//! Nobody's rows are edited. What is missing on Kafka is published again out of the outbox, under its old ids; an order that
//! does not move is told once more what somebody should have heard, as a new event that meets the same inbox, barrier and
//! decisions as any other; money that the gateway holds for nobody is let go through the gateway's own interface, under an
//! idempotency key. Where that is not enough a person is needed, and the finding says so.
//!
//! # A living system
//! No healthy order may come to harm, so nothing is done about a case unless all of this holds:
//!
//! - The [look](look::Look) is taken in an order that makes no new order look like none: the gateway's ledger before
//!   payments, everyone before orders.
//! - The order's deadline has passed by a grace time, and for that long nothing has happened to it.
//! - It was seen twice, unchanged; and in between [everything arrived](whole::arrived) that was on its way at the first look.
//!   Where that takes too long, nothing is done at all.
//! - It is still so just before.
//! - It is still so when a service acts upon it: each event says how the order stood with that service, which ignores it
//!   if it stands otherwise by then. The gateway voids only what is held, and refunds only what is taken.

mod case;
mod charges;
mod facts;
mod look;
mod lost;
mod next;
mod picture;
mod repair;
mod standing;
mod which;
mod whole;

pub use case::{Case, Remedy};
pub use charges::client;
pub use look::{Look, Seen};
pub use next::{Fresh, RECONCILED, next};
pub use picture::{Picture, Scope};
pub use repair::{Outcome, Repairs};
pub use standing::{Placed, Standing, Step};
pub use which::Which;
