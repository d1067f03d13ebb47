//! Reconciling finds disagreements and repairs them while the system runs.
//!
//! It edits no rows. Events missing on Kafka are published again from the outbox, under their old ids. An order that is stuck
//! receives the missing event anew, which passes the same inbox, barrier and decisions as any other. Money that the gateway holds
//! without a payment is released through the gateway's own API, under an idempotency key. If that is not enough, an operator is
//! needed, and the finding says so.
//!
//! # A running system
//! No healthy order may be harmed, so a case is acted upon only if all of this holds:
//!
//! - The [look](look::Look) reads in an order in which no new order can seem missing: the gateway's ledger before payments, all
//!   other services before the order service.
//! - The order's deadline has passed by a grace time, and for that long nothing has happened to it.
//! - It was seen twice, unchanged; and in between [everything arrived](whole::arrived) that was in flight at the first look. If
//!   that takes too long, nothing is done at all.
//! - It still holds immediately before the repair.
//! - It still holds when a service acts upon it: each event carries the expected state of the order in that service, which
//!   ignores the event if the state differs. The gateway voids only what is authorized, and refunds only what is captured.

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
pub use standing::{Placed, Standing, StepState};
pub use which::Which;
pub use whole::arrived;
