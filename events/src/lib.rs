//! The published language of the purchase saga: everything that travels over Kafka, and nothing else.
//!
//! Each module holds the events of one publisher. Every event after [`OrderRequested`](request::OrderRequested) carries
//! the [`Order`]: the facts that travel with the saga, so that no service has to ask another. Only [`erasure`]'s is about a
//! user, and carries no order. The [`envelope`] is CloudEvents 1.0.
//!
//! These names are a contract with unknown programs. `tests/golden.rs` pins each of them.

pub mod account;
pub mod entitlement;
pub mod envelope;
pub mod erasure;
mod ids;
pub mod inventory;
pub mod money;
pub mod notification;
pub mod order;
pub mod order_id;
pub mod payment;
pub mod personal;
pub mod publisher;
pub mod reason;
pub mod request;
pub mod shipping;

mod facts;
#[cfg(feature = "schema")]
pub mod schemas;
#[cfg(feature = "testing")]
pub mod testing;

pub use facts::{Item, Kind, Order};
pub use ids::{OrderId, PaymentMethodId, ProductId, UserId};
pub use money::Currency;
pub use reason::Reason;
pub use saga::{Event, EventId, Publisher};
