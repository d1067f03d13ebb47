//! The published language of the purchase saga: what travels over Kafka, and nothing else.
//!
//! One module per publisher holds the events that this publisher alone says. Every event after
//! [`OrderRequested`](request::OrderRequested) carries the [`Order`]: the facts that travel with the saga, so
//! that no service ever has to ask another one. The [`envelope`] is CloudEvents 1.0.
//!
//! The names in here are a contract with programs that we do not know. `tests/golden.rs` pins each of them.

pub mod account;
pub mod entitlement;
pub mod envelope;
mod ids;
pub mod inventory;
pub mod money;
pub mod notification;
pub mod order;
pub mod order_id;
pub mod payment;
pub mod publisher;
pub mod reason;
pub mod request;
pub mod shipping;

mod facts;
#[cfg(feature = "testing")]
pub mod testing;

pub use facts::{Item, Kind, Order};
pub use ids::{OrderId, PaymentMethodId, ProductId, UserId};
pub use money::Currency;
pub use reason::Reason;
pub use saga::{Event, EventId, Publisher};
