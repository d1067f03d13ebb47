//! Identities. Each is a type of its own, so that a user is never passed where a product is meant.

use std::fmt;

/// One purchase is one saga.
pub use saga::SagaId as OrderId;
use serde::{Deserialize, Serialize};

macro_rules! number_ids {
    ($( $(#[$doc:meta])* $name:ident )+) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(saga::schema::JsonSchema), schemars(crate = "saga::schema::schemars"))]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )+ };
}

number_ids! {
    /// A buyer.
    UserId
    /// An item for sale.
    ProductId
    /// A card, a wallet or a points account.
    PaymentMethodId
}
