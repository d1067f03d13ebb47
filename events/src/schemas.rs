//! JSON Schemas of everything that travels over Kafka. Requires the feature `schema`.
//!
//! Most follow from the types. Those of types with a serialization of their own are here, and say what they accept.

use std::borrow::Cow;

use saga::schema::{
    EventSchema, JsonSchema,
    schemars::{Schema, SchemaGenerator, json_schema},
};

use crate::{
    Currency, Reason, account, entitlement, erasure, inventory, notification, order, payment, publisher, request,
    shipping,
};

/// The client's request and every event, in the order in which the saga first reaches their publishers.
pub fn all() -> Vec<EventSchema> {
    let mut all = vec![EventSchema::of_request::<request::OrderRequested>(publisher::CLIENT, 1)];
    all.extend(order::schemas());
    all.extend(erasure::schemas());
    all.extend(account::schemas());
    all.extend(payment::schemas());
    all.extend(inventory::schemas());
    all.extend(shipping::schemas());
    all.extend(entitlement::schemas());
    all.extend(notification::schemas());
    all
}

impl JsonSchema for Currency {
    fn schema_name() -> Cow<'static, str> {
        "Currency".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "An ISO 4217 code, or `PTS` for points.",
            "type": "string",
            "pattern": "^[A-Z]{3}$",
            "examples": [Currency::JPY.as_str(), Currency::PTS.as_str()],
        })
    }
}

impl JsonSchema for Reason {
    fn schema_name() -> Cow<'static, str> {
        "Reason".into()
    }

    /// The known reasons are examples and no enumeration: a reader passes on those that it does not know.
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let known: Vec<&str> = Reason::ALL.iter().map(Reason::as_str).collect();
        json_schema!({
            "description": "Why something was refused or undone. Further reasons may be added.",
            "type": "string",
            "pattern": "^[a-z][a-z0-9_]{0,39}$",
            "examples": known,
        })
    }
}
