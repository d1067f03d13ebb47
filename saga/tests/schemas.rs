//! JSON Schemas that `events!` derives with the feature `schema`.

#![cfg(feature = "schema")]

use saga::{Facts, SagaId, publisher, schema::JsonSchema};
use serde_json::json;

#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Secret {
    trip_id: SagaId,
}

#[derive(Debug, Clone, PartialEq, PartialOrd, Eq, Hash, serde::Serialize, serde::Deserialize, JsonSchema)]
#[schemars(crate = "saga::schema::schemars")]
pub struct Trip {
    trip_id: SagaId,
}

impl Facts for Secret {
    fn saga_id(&self) -> SagaId {
        self.trip_id
    }
}

impl Facts for Trip {
    fn saga_id(&self) -> SagaId {
        self.trip_id
    }
}

/// As soon as one crate of a program asks for schemas, the events of all others are compiled with the feature.
mod without {
    saga::events! { saga::publisher!("car"), trip: super::Secret, CarBooked { price: i64 } }
}

mod with {
    saga::events! { saga::publisher!("hotel"), trip: super::Trip,
        /// A room is reserved.
        #[derive(PartialOrd)]
        #[serde(deny_unknown_fields)]
        RoomHeld version 2 {
            /// Whole cents.
            price: i64,
            floor: Option<u8>,
            #[serde(default)]
            nights: u8,
        }
    }
}

#[test]
fn a_schema_says_what_a_reader_accepts() {
    let [held] = with::schemas()[..] else { panic!("one event") };
    assert_eq!((held.event_type, held.publisher, held.version), ("RoomHeld", publisher!("hotel"), 2));
    let held = held.document();
    assert_eq!(held["required"], json!(["trip", "price"]), "{held:#}");
    assert_eq!(held["description"], "A room is reserved.");
    assert_eq!(held["properties"]["price"]["description"], "Whole cents.");
    assert_eq!(held["$defs"]["Trip"]["properties"]["trip_id"]["$ref"], "#/$defs/SagaId");
    assert_eq!(held["additionalProperties"], false, "it is refused");
    assert_eq!(held["x-version"], 2);
}

#[test]
fn events_of_types_without_a_schema_stay_as_they_are() {
    assert_eq!(without::TYPES, ["CarBooked"]);
    let trip = Secret { trip_id: SagaId(uuid::Uuid::nil()) };
    let json = serde_json::to_value(without::CarBooked { trip, price: 1 }).expect("JSON");
    assert_eq!(json["price"], 1);
}

/// What is in a topic of another form.
#[derive(serde::Deserialize, JsonSchema)]
#[schemars(crate = "saga::schema::schemars")]
pub struct Flat {
    trip: Trip,
    cost: i64,
}

impl From<Flat> for converted::RoomHeld {
    fn from(Flat { trip, cost }: Flat) -> Self {
        converted::RoomHeld { trip, price: cost }
    }
}

mod converted {
    saga::events! { saga::publisher!("hotel"), trip: super::Trip,
        #[serde(from = "super::Flat")]
        RoomHeld { price: i64 }
        /// No room is available.
        #[cfg_attr(all(), serde(deny_unknown_fields))]
        RoomRefused {}
    }
}

/// As the macro's documentation says.
#[test]
fn attributes_of_the_whole_event_have_limits() {
    let [held, refused] = converted::schemas()[..] else { panic!("two events") };
    assert!(held.document()["properties"]["cost"].is_object(), "what is read");
    assert!(held.written()["properties"]["price"].is_object(), "what is written");
    assert!(refused.document()["additionalProperties"].is_null(), "it is not looked into");
}
