//! The published language of choreographed sagas: JSON Schemas of events that stay compatible, and an AsyncAPI document of the
//! services.
//!
//! A service that publishes an event does not know its readers, and cannot ask them before it changes the event. [`compare`]
//! judges a change from two schemas alone, in both directions: old readers of new events, and new readers of old events. [`Kept`]
//! puts the schemas into the repository and fails a test when a change breaks a reader, which it names from the services' tables.
//! [`asyncapi::document`] describes the whole system for people and tools that know none of this.
//!
//! ```
//! use saga_schema::{Code, compare};
//! use serde_json::json;
//!
//! let old = json!({ "type": "object", "properties": { "price": { "type": "integer" } }, "required": ["price"] });
//! let new = json!({ "type": "object", "properties": { "price": { "type": "string" } }, "required": ["price"] });
//! let changes = compare(&old, &new);
//! assert_eq!((changes[0].code, changes[0].path.as_str()), (Code::Retyped, "$.price"));
//! assert!(changes[0].breaks_a_reader());
//! ```

#![warn(missing_docs)]

pub mod asyncapi;
mod change;
mod compare;
mod judgement;
mod kept;

pub use change::{Change, Code, Direction};
pub use compare::compare;
pub use judgement::{Broken, Cause, Judgement, Reader, readers};
pub use kept::{Kept, KeptError};
