//! JSON Schemas of events, from their types: what a reader of the event accepts. Requires the feature `schema`.
//!
//! ```
//! use saga::{Facts, SagaId, schema::JsonSchema};
//!
//! #[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, JsonSchema)]
//! # #[schemars(crate = "saga::schema::schemars")]
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

use std::fmt;

pub use schemars::{self, JsonSchema};
use schemars::{Schema, SchemaGenerator, generate::SchemaSettings};
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
    document: fn() -> Schema,
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
        let document = || SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>();
        EventSchema { event_type, publisher, version, document, within: SchemaGenerator::subschema_for::<T> }
    }

    /// The schema by itself: JSON Schema 2020-12, with what it refers to under `$defs`, and its version.
    pub fn document(&self) -> Value {
        let mut document = (self.document)();
        document.insert(VERSION.to_owned(), self.version.into());
        document.to_value()
    }

    /// A reference to the schema among the definitions of a generator, which the schemas of all events share.
    pub fn within(&self, generator: &mut SchemaGenerator) -> Value {
        (self.within)(generator).to_value()
    }
}

impl fmt::Debug for EventSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}, version {}", self.event_type, self.publisher, self.version)
    }
}
