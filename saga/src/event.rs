//! Events: a wire name, a publisher and the saga that they belong to.

use outbox::Publisher;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

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
    /// Version of the event's schema, from 1 to `i32::MAX`. A change that an earlier reader cannot read, or would
    /// misunderstand, has a greater one: an earlier reader leaves such an event to a newer one.
    const VERSION: u32 = 1;

    /// Data of an earlier version as data of this one. The default changes nothing: enough where `#[serde(default)]` on new
    /// fields supplies what earlier versions lack.
    ///
    /// # Errors
    /// Why the data cannot be converted. The event is parked then: data that is passed on as it is might be misread.
    fn upcast(_version: u32, data: Value) -> Result<Value, String> {
        Ok(data)
    }

    /// Saga that the event belongs to: the record's key.
    fn saga_id(&self) -> SagaId;
}

/// Declares the events of one publisher: a struct for each, with the saga's [`Facts`] beside its own fields, and `TYPES`,
/// their wire names. The name given to the facts' field is its name in the JSON. Facts and fields must be `Eq` and
/// `Hash`: amounts are whole numbers. An event whose schema has changed so that earlier readers cannot read it says so,
/// with a function for the data of earlier versions if they need one ([`Event::upcast`]).
///
/// With the feature `schema`, each event whose facts and fields implement `JsonSchema` implements it too, and `schemas()` returns
/// the schemas of all; see the module `schema`. Events of other types stay as they are: the feature takes nothing away.
///
/// The schema is that of a struct with the same fields and attributes. So an event cannot have `#[serde(default)]` for the whole
/// of it, since that struct has no default; and a `#[cfg_attr(…)]` of the whole event is not looked into, so that serde's
/// attributes in it are missing from the schema. Put them on the fields. With `#[serde(from = "…")]` or `try_from`, the schema
/// is that of the other type.
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
/// mod later {
///     # use super::{Trip, publisher};
///     use serde_json::Value;
///
///     saga::events! { publisher!("hotel"), trip: Trip,
///         /// A room is reserved.
///         RoomHeld version 2 upcast from_euros {
///             /// Whole cents; whole euros in version 1.
///             price: i64,
///         }
///     }
///
///     fn from_euros(_version: u32, mut data: Value) -> Result<Value, String> {
///         let cents = data["price"].as_i64().and_then(|euros| euros.checked_mul(100));
///         data["price"] = cents.ok_or("no price in whole euros")?.into();
///         Ok(data)
///     }
/// }
///
/// # fn main() {
/// assert_eq!(RoomHeld::TYPE, "RoomHeld");
/// assert_eq!(RoomHeld::PUBLISHER.topic(), "hotel.events");
/// assert_eq!(TYPES, ["RoomHeld", "RoomRefused"]);
/// assert_eq!(later::RoomHeld::VERSION, 2);
/// # }
/// ```
#[macro_export]
macro_rules! events {
    ($publisher:expr, $facts:ident: $Facts:ty,
     $( $(#[$($attribute:tt)+])* $name:ident $(version $version:literal $(upcast $upcast:path)?)? { $( $(#[$field_doc:meta])* $field:ident: $type:ty ),* $(,)? } )+) => {
        $(
            #[derive(Debug, Clone, PartialEq, Eq, Hash, $crate::serde::Serialize, $crate::serde::Deserialize)]
            #[serde(crate = "saga::serde")]
            $(#[$($attribute)+])*
            pub struct $name {
                /// Facts that travel with the saga.
                pub $facts: $Facts,
                $( $(#[$field_doc])* pub $field: $type, )*
            }

            impl $crate::Event for $name {
                const TYPE: &'static str = stringify!($name);
                const PUBLISHER: $crate::Publisher = $publisher;
                $(
                    const VERSION: u32 = $version;
                    $(
                        fn upcast(
                            version: u32,
                            data: $crate::serde_json::Value,
                        ) -> Result<$crate::serde_json::Value, String> {
                            $upcast(version, data)
                        }
                    )?
                )?

                fn saga_id(&self) -> $crate::SagaId {
                    $crate::Facts::saga_id(&self.$facts)
                }
            }

            $crate::schema_of_event! { @attributes [] $(#[$($attribute)+])* $name { $facts: $Facts, $( $(#[$field_doc])* $field: $type, )* } }
        )+

        $crate::schemas_of_events! { $( $name )+ }

        /// Wire names of all events of this publisher.
        pub const TYPES: &[&str] = &[$( stringify!($name) ),+];
    };
}

/// The schema of one event. Its bounds hold for a lifetime that nothing uses, because the compiler would refuse those that it
/// finds false at once: so an event whose facts have no schema has none either, and compiles all the same.
#[cfg(feature = "schema")]
#[doc(hidden)]
#[macro_export]
macro_rules! schema_of_event {
    // Of the event's attributes those that a schema follows; others, such as further derives, are about the event alone.
    (@attributes [$($kept:tt)*] #[doc $($doc:tt)*] $($rest:tt)*) => {
        $crate::schema_of_event! { @attributes [$($kept)* #[doc $($doc)*]] $($rest)* }
    };
    (@attributes [$($kept:tt)*] #[serde $($serde:tt)*] $($rest:tt)*) => {
        $crate::schema_of_event! { @attributes [$($kept)* #[serde $($serde)*]] $($rest)* }
    };
    (@attributes [$($kept:tt)*] #[$($other:tt)*] $($rest:tt)*) => {
        $crate::schema_of_event! { @attributes [$($kept)*] $($rest)* }
    };
    (@attributes [$($kept:tt)*] $name:ident { $( $(#[$field_doc:meta])* $field:ident: $type:ty, )* }) => {
        const _: () = {
            #[derive($crate::schemars::JsonSchema)]
            #[schemars(crate = "saga::schemars")]
            #[allow(dead_code, reason = "only its schema is used")]
            $($kept)*
            struct __Shape
            where
                $( for<'any> $type: $crate::schemars::JsonSchema, )*
            {
                $( $(#[$field_doc])* $field: $type, )*
            }

            impl $crate::schemars::JsonSchema for $name
            where
                $( for<'any> $type: $crate::schemars::JsonSchema, )*
            {
                fn schema_name() -> ::std::borrow::Cow<'static, str> {
                    ::std::borrow::Cow::Borrowed(stringify!($name))
                }

                fn schema_id() -> ::std::borrow::Cow<'static, str> {
                    ::std::borrow::Cow::Borrowed(concat!(module_path!(), "::", stringify!($name)))
                }

                fn json_schema(generator: &mut $crate::schemars::SchemaGenerator) -> $crate::schemars::Schema {
                    <__Shape as $crate::schemars::JsonSchema>::json_schema(generator)
                }
            }
        };
    };
}

/// Without the feature `schema`, an event has none. The choice is made here, and not in the macro's output, where it would
/// depend on the features of the crate that declares the events.
#[cfg(not(feature = "schema"))]
#[doc(hidden)]
#[macro_export]
macro_rules! schema_of_event {
    ($($event:tt)*) => {};
}

#[cfg(feature = "schema")]
#[doc(hidden)]
#[macro_export]
macro_rules! schemas_of_events {
    ($( $name:ident )+) => {
        /// JSON Schemas of all events of this publisher.
        #[allow(dead_code, reason = "a program may need none")]
        pub fn schemas() -> ::std::vec::Vec<$crate::schema::EventSchema>
        where
            $( for<'any> $name: $crate::schemars::JsonSchema, )+
        {
            ::std::vec![$( $crate::schema::EventSchema::of::<$name>() ),+]
        }
    };
}

#[cfg(not(feature = "schema"))]
#[doc(hidden)]
#[macro_export]
macro_rules! schemas_of_events {
    ($($event:tt)*) => {};
}
