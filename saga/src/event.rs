//! What makes a type an event: a name, a publisher and the saga that it belongs to.

use outbox::Publisher;
use serde::{Serialize, de::DeserializeOwned};

use crate::SagaId;

/// The facts that travel with a saga: settled when it begins, in every event of it, so that no service has to ask another.
pub trait Facts {
    /// The saga that they are of.
    fn saga_id(&self) -> SagaId;
}

/// A fact that one service has written down and tells to the others. [`events!`](crate::events!) declares them.
pub trait Event: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The wire name, `ce_type`.
    const TYPE: &'static str;
    /// The only publisher of this event; decides topic and `ce_source`.
    const PUBLISHER: Publisher;

    /// The saga that it belongs to: the record's key.
    fn saga_id(&self) -> SagaId;
}

/// Declares the events of one publisher: a struct each, with the saga's [`Facts`] beside its own fields, and `TYPES`, the
/// wire names of all of them. The facts' field is named as it is to be in the JSON. Facts and fields are `Eq` and `Hash`: amounts
/// are whole numbers.
///
/// ```
/// use saga::{Event, Facts, SagaId, publisher};
///
/// #[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
/// pub struct Trip {
///     pub trip_id: SagaId,
///     pub traveller: String,
/// }
///
/// impl Facts for Trip {
///     fn saga_id(&self) -> SagaId {
///         self.trip_id
///     }
/// }
///
/// saga::events! { publisher!("hotel"), trip: Trip,
///     /// A room is held.
///     RoomHeld {
///         /// Whole cents.
///         price: i64,
///     }
///     /// No room is.
///     RoomRefused {}
/// }
///
/// assert_eq!(RoomHeld::TYPE, "RoomHeld");
/// assert_eq!(RoomHeld::PUBLISHER.topic(), "hotel.events");
/// assert_eq!(TYPES, ["RoomHeld", "RoomRefused"]);
/// ```
#[macro_export]
macro_rules! events {
    ($publisher:expr, $facts:ident: $Facts:ty,
     $( $(#[$doc:meta])* $name:ident { $( $(#[$field_doc:meta])* $field:ident: $type:ty ),* $(,)? } )+) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, PartialEq, Eq, Hash, $crate::serde::Serialize, $crate::serde::Deserialize)]
            #[serde(crate = "saga::serde")]
            pub struct $name {
                /// The facts that travel with the saga.
                pub $facts: $Facts,
                $( $(#[$field_doc])* pub $field: $type, )*
            }

            impl $crate::Event for $name {
                const TYPE: &'static str = stringify!($name);
                const PUBLISHER: $crate::Publisher = $publisher;

                fn saga_id(&self) -> $crate::SagaId {
                    $crate::Facts::saga_id(&self.$facts)
                }
            }
        )+

        /// The wire names of all events that this publisher says.
        pub const TYPES: &[&str] = &[$( stringify!($name) ),+];
    };
}
