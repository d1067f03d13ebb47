//! The schemas accept what the types accept, and refuse what the types refuse.

#![cfg(feature = "schema")]

mod samples;

use std::collections::BTreeSet;

use events::{Event, request::OrderRequested, schemas};
use jsonschema::Validator;
use saga::schema::EventSchema;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

fn validator(schema: &EventSchema) -> Validator {
    let document = schema.document();
    let built = jsonschema::options().should_validate_formats(true).build(&document);
    built.unwrap_or_else(|error| panic!("{schema:?}: {error}"))
}

fn schema_of(event_type: &str) -> EventSchema {
    let found = schemas::all().into_iter().find(|schema| schema.event_type == event_type);
    found.unwrap_or_else(|| panic!("{event_type} has no schema"))
}

/// Paths of everything in some JSON, as JSON pointers.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    let mut visit = |name: &str, inner: &Value| {
        let pointer = format!("{at}/{name}");
        found.push(pointer.clone());
        pointers(inner, &pointer, found);
    };
    match value {
        Value::Object(members) => members.iter().for_each(|(name, inner)| visit(name, inner)),
        Value::Array(items) => items.iter().enumerate().for_each(|(place, inner)| visit(&place.to_string(), inner)),
        _ => {}
    }
}

fn without(golden: &Value, pointer: &str) -> Value {
    let mut changed = golden.clone();
    let (parent, name) = pointer.rsplit_once('/').expect("a pointer has a slash");
    match changed.pointer_mut(parent).expect("it is there") {
        Value::Object(members) => drop(members.remove(name)),
        Value::Array(items) => drop(items.remove(name.parse::<usize>().expect("an index"))),
        other => panic!("{other} has no members"),
    }
    changed
}

/// The golden JSON with each part removed, and replaced by each kind of value.
fn variants(golden: &Value) -> Vec<(String, Value)> {
    let values = [
        json!(null),
        json!(true),
        json!(-1),
        json!(1.5),
        json!(i64::MAX),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(1e300),
        json!(""),
        json!("jpy"),
        json!("digital"),
        json!("virtual"),
        json!("customs_hold"),
        json!("0192f0c1-1111-7222-8333-444455556666"),
        json!([]),
        json!([1]),
        json!({}),
    ];
    let mut paths = Vec::new();
    pointers(golden, "", &mut paths);
    let mut all = vec![("as it is".to_owned(), golden.clone())];
    for path in paths {
        all.push((format!("without {path}"), without(golden, &path)));
        for value in &values {
            let mut changed = golden.clone();
            *changed.pointer_mut(&path).expect("it is there") = value.clone();
            all.push((format!("{path} is {value}"), changed));
        }
    }
    let mut wider = golden.clone();
    wider.as_object_mut().expect("an object").insert("of_a_newer_version".to_owned(), json!(1));
    all.push(("with a field more".to_owned(), wider));
    all
}

/// Returns how many variants both accept, and how many both refuse.
fn agree<T: DeserializeOwned>(schema: &EventSchema, golden: &Value) -> (usize, usize) {
    let validator = validator(schema);
    let (mut accepted, mut refused) = (0, 0);
    assert!(validator.is_valid(golden), "{schema:?} accepts its golden JSON");
    for (what, data) in variants(golden) {
        let is_read = serde_json::from_value::<T>(data.clone()).is_ok();
        assert_eq!(validator.is_valid(&data), is_read, "{schema:?}, {what}: the type says {is_read}: {data}");
        *if is_read { &mut accepted } else { &mut refused } += 1;
    }
    (accepted, refused)
}

#[derive(Default)]
struct Agree {
    seen: BTreeSet<&'static str>,
}

impl samples::Visitor for Agree {
    fn event<E: Event + PartialEq + std::fmt::Debug>(&mut self, _topic: &str, name: &str, data: Value) {
        let schema = schema_of(name);
        assert_eq!((schema.publisher, schema.version), (E::PUBLISHER, E::VERSION));
        let (accepted, refused) = agree::<E>(&schema, &data);
        assert!(accepted > 5 && refused > 60, "{name}: {accepted} variants accepted, {refused} refused");
        self.seen.insert(E::TYPE);
    }
}

#[test]
fn every_event_has_a_schema_that_agrees_with_its_type() {
    let mut agree = Agree::default();
    samples::visit_all(&mut agree);
    let all = schemas::all();
    let events = all.iter().map(|schema| schema.event_type).filter(|name| *name != "OrderRequested");
    assert_eq!(events.collect::<BTreeSet<_>>(), agree.seen, "every schema is compared");
    assert_eq!(all.len(), agree.seen.len() + 1, "no event has two schemas");
}

#[test]
fn the_schema_of_a_request_agrees_with_its_type() {
    for golden in samples::requests() {
        let (accepted, refused) = agree::<OrderRequested>(&schema_of("OrderRequested"), &golden);
        assert!(accepted > 3 && refused > 20, "{accepted} variants accepted, {refused} refused");
    }
}

/// What a schema cannot say, or does not: numbers that are whole but written as fractions, and the further forms in which the
/// library reads a UUID. No publisher writes either.
#[derive(Default)]
struct Differ {
    whole: usize,
    ids: usize,
}

impl samples::Visitor for Differ {
    fn event<E: Event + PartialEq + std::fmt::Debug>(&mut self, _topic: &str, name: &str, data: Value) {
        let validator = validator(&schema_of(name));
        let with = |pointer: &str, value: Value| {
            let mut changed = data.clone();
            *changed.pointer_mut(pointer).expect("it is there") = value;
            (validator.is_valid(&changed), serde_json::from_value::<E>(changed).is_ok())
        };
        let mut paths = Vec::new();
        pointers(&data, "", &mut paths);
        for path in paths {
            match data.pointer(&path).expect("it is there") {
                Value::Number(number) => {
                    let fraction = number.as_f64().expect("a number");
                    assert_eq!(with(&path, json!(fraction)), (true, false), "{name}{path}");
                    self.whole += 1;
                }
                Value::String(id) if id.len() == 36 && id.matches('-').count() == 4 => {
                    for other in [id.replace('-', ""), format!("{{{id}}}"), format!("urn:uuid:{id}")] {
                        assert_eq!(with(&path, json!(other)), (false, true), "{name}{path}: {other}");
                    }
                    assert_eq!(with(&path, json!(id.to_uppercase())), (true, true), "{name}{path}");
                    self.ids += 1;
                }
                _ => {}
            }
        }
    }
}

#[test]
fn schema_and_type_differ_in_these_forms_alone() {
    let mut differ = Differ::default();
    samples::visit_all(&mut differ);
    assert!(differ.whole > 0 && differ.ids > 0, "{} numbers, {} ids", differ.whole, differ.ids);
}

/// Were a schema to accept everything, the comparison above would notice.
#[test]
fn the_comparison_notices_a_schema_that_is_too_lenient() {
    let golden = &samples::requests()[0];
    let lenient = EventSchema::of_request::<Value>(events::publisher::CLIENT, 1);
    let compared = std::panic::catch_unwind(|| agree::<OrderRequested>(&lenient, golden));
    assert!(compared.is_err());
}
