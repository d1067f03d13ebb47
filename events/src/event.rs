//! What makes a type an event: a name, a publisher and the order that it is about.

use serde::{Serialize, de::DeserializeOwned};

use crate::{Order, Publisher};

/// A fact that one service has written down and tells to the others.
pub trait Event: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The wire name, `ce_type`.
    const TYPE: &'static str;
    /// The only publisher of this event; decides topic and `ce_source`.
    const PUBLISHER: Publisher;

    /// The facts that travel with the saga.
    fn order(&self) -> &Order;
}

/// Declares the events of one publisher: a struct each, with `order` beside its own fields.
macro_rules! publishes {
    ($publisher:ident: $( $(#[$doc:meta])* $name:ident { $( $(#[$field_doc:meta])* $field:ident: $type:ty ),* $(,)? } )+) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
            pub struct $name {
                /// The facts that travel with the saga.
                pub order: $crate::Order,
                $( $(#[$field_doc])* pub $field: $type, )*
            }

            impl $crate::Event for $name {
                const TYPE: &'static str = stringify!($name);
                const PUBLISHER: $crate::Publisher = $crate::Publisher::$publisher;

                fn order(&self) -> &$crate::Order {
                    &self.order
                }
            }
        )+

        /// The wire names of all events that this publisher says.
        pub const TYPES: &[&str] = &[$( stringify!($name) ),+];
    };
}
pub(crate) use publishes;
