//! Schemas as they are derived from types that are hard to compare.

use std::collections::BTreeMap;

use saga::schema::{EventSchema, JsonSchema};
use saga_schema::{Change, Code, Kept, compare};
use schemars::schema_for;
use serde_json::Value;

#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, JsonSchema)]
pub struct Trip {
    trip_id: saga::SagaId,
}

impl saga::Facts for Trip {
    fn saga_id(&self) -> saga::SagaId {
        self.trip_id
    }
}

/// Declares two versions of an event, and one that says the same in other words.
macro_rules! versions {
    ($(#[$attribute:meta])* $old:ident $new:ident $reworded:ident: $before:ty, $after:ty) => {
        #[derive(JsonSchema)]
        $(#[$attribute])*
        #[allow(dead_code, reason = "only its schema is used")]
        enum $old { A($before), B { x: u8 }, }
        #[derive(JsonSchema)]
        $(#[$attribute])*
        #[allow(dead_code, reason = "only its schema is used")]
        enum $new { A($after), B { x: u8 }, }
        /// In other words.
        #[derive(JsonSchema)]
        $(#[$attribute])*
        #[allow(dead_code, reason = "only its schema is used")]
        enum $reworded {
            /// The first.
            A($before),
            /// The second.
            B {
                /// A number.
                x: u8,
            },
        }
    };
}

#[derive(JsonSchema)]
#[allow(dead_code, reason = "only its schema is used")]
struct Price {
    cents: i64,
}

#[derive(JsonSchema)]
#[schemars(rename = "Price")]
#[allow(dead_code, reason = "only its schema is used")]
struct Text {
    cents: String,
}

versions! { Outside OutsideNew OutsideReworded: Price, Text }
versions! { #[serde(tag = "kind")] Tagged TaggedNew TaggedReworded: Price, Text }
versions! { #[serde(tag = "kind", content = "data")] Beside BesideNew BesideReworded: Price, Text }
versions! { #[serde(untagged)] Untagged UntaggedNew UntaggedReworded: Price, Text }

#[derive(JsonSchema)]
#[allow(dead_code, reason = "only its schema is used")]
enum Mixed {
    One,
    Two,
    Data(Price),
}

#[derive(JsonSchema)]
#[allow(dead_code, reason = "only its schema is used")]
enum MixedReworded {
    /// The first.
    One,
    Two,
    Data(Price),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Usual {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    of_old: Vec<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    floor: Option<u8>,
    #[serde(alias = "former")]
    current: String,
    #[serde(skip)]
    unseen: u8,
    #[serde(rename = "as")]
    named: Kind,
}
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Kind {
    Known {
        x: Option<i64>,
    },
    #[serde(other)]
    Other,
}

fn schema<T: JsonSchema>() -> Value {
    schema_for!(T).to_value()
}

/// By itself, in an `Option`, in two, in a list and in maps.
fn forms<T: JsonSchema>() -> Vec<Value> {
    vec![
        schema::<T>(),
        schema::<Option<T>>(),
        schema::<Option<Option<Box<T>>>>(),
        schema::<Vec<Option<T>>>(),
        schema::<BTreeMap<String, T>>(),
        schema::<BTreeMap<u32, Option<T>>>(),
        schema::<(u8, Option<T>)>(),
        schema::<Result<T, String>>(),
    ]
}

fn differ<Old: JsonSchema, New: JsonSchema>() {
    for (old, new) in forms::<Old>().into_iter().zip(forms::<New>()) {
        assert!(compare(&old, &new).iter().any(Change::breaks_a_reader), "{old:#} → {new:#}");
    }
}

fn are_the_same<Old: JsonSchema, New: JsonSchema>() {
    for (old, new) in forms::<Old>().into_iter().zip(forms::<New>()) {
        // Names of types say nothing to readers.
        assert_eq!(compare(&old, &new), [], "{old:#} → {new:#}");
    }
}

#[test]
fn a_change_is_found_in_each_representation() {
    differ::<Outside, OutsideNew>();
    differ::<Tagged, TaggedNew>();
    differ::<Beside, BesideNew>();
    differ::<Untagged, UntaggedNew>();
}

#[test]
fn other_words_are_no_change_in_any_representation() {
    are_the_same::<Outside, OutsideReworded>();
    are_the_same::<Tagged, TaggedReworded>();
    are_the_same::<Beside, BesideReworded>();
    are_the_same::<Untagged, UntaggedReworded>();
    are_the_same::<Mixed, MixedReworded>();
}

#[test]
fn another_default_is_found() {
    #[derive(JsonSchema)]
    #[allow(dead_code, reason = "only its schema is used")]
    struct One {
        #[schemars(default = "one")]
        floor: u8,
    }
    #[derive(JsonSchema)]
    #[allow(dead_code, reason = "only its schema is used")]
    struct Two {
        #[schemars(default = "two")]
        floor: u8,
    }
    fn one() -> u8 {
        1
    }
    fn two() -> u8 {
        2
    }
    let changes = compare(&schema::<One>(), &schema::<Two>());
    assert!(matches!(&changes[..], [Change { code: Code::DefaultChanged, .. }]), "{changes:?}");
}

/// Attributes that are usual, and with which an event is written as it is read.
#[test]
fn usual_attributes_are_no_difference_between_what_is_written_and_what_is_read() {
    saga::events! { saga::publisher!("hotel"), trip: Trip, RoomHeld { usual: Usual, #[serde(default)] nights: Option<u8> } }
    let all: Vec<EventSchema> = schemas();
    let folder = tempfile::tempdir().expect("a folder");
    let judgement = Kept::in_folder(folder.path()).judge(&all, &[]).expect("readable");
    assert!(judgement.breaks.is_empty(), "{judgement}");
}
