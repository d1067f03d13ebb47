//! JSON Schemas of events, from their types: what a reader of the event accepts. Requires the feature `schema`.
//!
//! The derive macro has to be told where `schemars` is, unless the package depends on it itself.
//!
//! ```
//! use saga::{Facts, SagaId, schema::JsonSchema};
//!
//! #[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, JsonSchema)]
//! #[schemars(crate = "saga::schema::schemars")]
//! pub struct Trip {
//!     pub trip_id: SagaId,
//! }
//!
//! impl Facts for Trip {
//!     fn saga_id(&self) -> SagaId {
//!         self.trip_id
//!     }
//! }
//!
//! saga::events! { saga::publisher!("hotel"), trip: Trip,
//!     /// A room is reserved.
//!     RoomHeld { price: i64 }
//! }
//!
//! let held = schemas()[0].document();
//! assert_eq!(held["required"], serde_json::json!(["trip", "price"]));
//! ```
//!
//! Three things a schema does not say. What `#[serde(with = "…")]`, `serialize_with` and `deserialize_with` do to a value is
//! not seen: such a field needs a `#[schemars(with = "…")]`. JSON Schema takes `1.0` for an integer, and serde does not. And a
//! UUID is described in the form with hyphens, in which it is written, while it is read in others, too.

use std::fmt;

pub use schemars::{self, JsonSchema};
use schemars::{
    Schema, SchemaGenerator,
    generate::{Contract, SchemaSettings},
    transform::RecursiveTransform,
};
use serde_json::Value;

use crate::{Event, Publisher};

/// Keyword of a document that holds the version of the event's schema.
pub const VERSION: &str = "x-version";

/// Schema of one event, or of a client's request.
#[derive(Clone, Copy)]
pub struct EventSchema {
    /// Wire name, `ce_type`.
    pub event_type: &'static str,
    /// The event's only publisher.
    pub publisher: Publisher,
    /// Version of the schema.
    pub version: u32,
    document: fn(Contract) -> Schema,
    within: fn(&mut SchemaGenerator) -> Schema,
}

impl EventSchema {
    /// The schema of event `E`.
    pub fn of<E: Event + JsonSchema>() -> Self {
        Self::named::<E>(E::TYPE, E::PUBLISHER, E::VERSION)
    }

    /// The schema of clients' requests, `T`. Its type is the one that the [`Publisher`] sets for bare records.
    pub fn of_request<T: JsonSchema>(clients: Publisher, version: u32) -> Self {
        Self::named::<T>(clients.bare_type().unwrap_or_default(), clients, version)
    }

    fn named<T: JsonSchema>(event_type: &'static str, publisher: Publisher, version: u32) -> Self {
        let document = |contract: Contract| {
            let settings = SchemaSettings::draft2020_12().with_transform(RecursiveTransform(with_limits));
            settings.with(|settings| settings.contract = contract).into_generator().into_root_schema_for::<T>()
        };
        EventSchema { event_type, publisher, version, document, within: SchemaGenerator::subschema_for::<T> }
    }

    /// The schema by itself: JSON Schema 2020-12, with what it refers to under `$defs`, and its version. It says what is read.
    pub fn document(&self) -> Value {
        self.of_contract(Contract::Deserialize)
    }

    /// What is written, as a document like that of what is read. serde's attributes make them differ: `skip_serializing_if`, a
    /// name for `serialize` alone. What `with` and `serialize_with` write is not seen.
    pub fn written(&self) -> Value {
        self.of_contract(Contract::Serialize)
    }

    /// Returns whether it is the schema of clients' requests, and of no event.
    pub fn is_of_requests(&self) -> bool {
        self.publisher.is_anyone()
    }

    fn of_contract(&self, contract: Contract) -> Value {
        let mut document = (self.document)(contract);
        document.insert(VERSION.to_owned(), self.version.into());
        document.to_value()
    }

    /// A reference to the schema among the definitions of a generator, which the schemas of all events share.
    pub fn within(&self, generator: &mut SchemaGenerator) -> Value {
        (self.within)(generator).to_value()
    }
}

/// Adds the limits that follow from the `format` of an integer: a validator need not know the format.
pub fn with_limits(schema: &mut Schema) {
    let (least, most): (Value, Value) = match schema.get("format").and_then(Value::as_str) {
        Some("int8") => (i8::MIN.into(), i8::MAX.into()),
        Some("int16") => (i16::MIN.into(), i16::MAX.into()),
        Some("int32") => (i32::MIN.into(), i32::MAX.into()),
        Some("int64" | "int") => (i64::MIN.into(), i64::MAX.into()),
        Some("uint8") => (0.into(), u8::MAX.into()),
        Some("uint16") => (0.into(), u16::MAX.into()),
        Some("uint32") => (0.into(), u32::MAX.into()),
        Some("uint64" | "uint") => (0.into(), u64::MAX.into()),
        _ => return,
    };
    for (name, limit) in [("minimum", least), ("maximum", most)] {
        if schema.get(name).is_none() {
            schema.insert(name.to_owned(), limit);
        }
    }
}

impl fmt::Debug for EventSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}, version {}", self.event_type, self.publisher, self.version)
    }
}
