//! Events: a wire name, a publisher and the saga that they belong to.

use outbox::Publisher;
use serde::{Serialize, de::DeserializeOwned};

use crate::SagaId;

/// Facts that travel with a saga. They are fixed when it begins and are in each of its events, so that no service has to
/// ask another.
pub trait Facts {
    /// Saga that the facts belong to.
    fn saga_id(&self) -> SagaId;
}

/// A fact that one service has recorded and publishes to the others. Declare events with [`events!`](crate::events!).
pub trait Event: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Wire name, `ce_type`.
    const TYPE: &'static str;
    /// The event's only publisher; determines topic and `ce_source`.
    const PUBLISHER: Publisher;
    /// Version of the event's schema. A change that an earlier reader cannot read has a greater one.
    const VERSION: u32 = 1;

    /// Saga that the event belongs to: the record's key.
    fn saga_id(&self) -> SagaId;
}

/// Declares the events of one publisher: a struct for each, with the saga's [`Facts`] beside its own fields, and `TYPES`,
/// their wire names. The name given to the facts' field is its name in the JSON. Facts and fields must be `Eq` and
/// `Hash`: amounts are whole numbers. An event whose schema has changed so that earlier readers cannot read it says so:
/// `RoomHeld version 2 { price: i64 }`.
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
///     /// A room is reserved.
///     RoomHeld {
///         /// Whole cents.
///         price: i64,
///     }
///     /// No room is available.
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
     $( $(#[$doc:meta])* $name:ident $(version $version:literal)? { $( $(#[$field_doc:meta])* $field:ident: $type:ty ),* $(,)? } )+) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, PartialEq, Eq, Hash, $crate::serde::Serialize, $crate::serde::Deserialize)]
            #[serde(crate = "saga::serde")]
            pub struct $name {
                /// Facts that travel with the saga.
                pub $facts: $Facts,
                $( $(#[$field_doc])* pub $field: $type, )*
            }

            impl $crate::Event for $name {
                const TYPE: &'static str = stringify!($name);
                const PUBLISHER: $crate::Publisher = $publisher;
                $( const VERSION: u32 = $version; )?

                fn saga_id(&self) -> $crate::SagaId {
                    $crate::Facts::saga_id(&self.$facts)
                }
            }
        )+

        /// Wire names of all events of this publisher.
        pub const TYPES: &[&str] = &[$( stringify!($name) ),+];
    };
}
